-- pooled: this session is the one that listens, so a pooler hands out one session to several clients.
select h.armed, h.paused_reason, h.clock_offset, h.next_seconds, coalesce(pg_backend_pid() = $8, false) as pooled
from public.email_heartbeat($1, $2, $3, $4, $5, $6, $7, $8) h
