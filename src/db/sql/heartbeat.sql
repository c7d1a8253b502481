-- pooled: this session is the one that listens, so a pooler hands out one session to several clients.
select h.armed, h.paused_reason, h.clock_offset, h.next_seconds, coalesce(pg_backend_pid() = $8, false) as pooled
from public.email_heartbeat(
    worker => $1, hostname => $2, pid => $3, version => $4, provider => $5, state => $6, in_flight => $7, session_pid => $8) h
