-- Whether the sidecar works with sessions that began after that moment of the real clock ($1): they have the clock that was
-- set before it.
select exists (select from public.email_workers w where w.last_seen_at > $1)
and exists (
    select from pg_catalog.pg_stat_activity a
    where a.datname = current_database() and a.usename = 'seqpulse_mailer' and a.backend_start > $1
)
