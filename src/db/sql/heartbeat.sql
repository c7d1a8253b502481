select armed, paused_reason, clock_offset, next_seconds
from public.email_heartbeat($1, $2, $3, $4, $5, $6, $7, $8)
