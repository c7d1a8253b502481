-- Whether the sidecar has opened sessions after that moment of the real clock ($1): they have the clock that was set before it.
select exists (
    select from pg_catalog.pg_stat_activity a
    where a.datname = current_database() and a.usename = 'seqpulse_mailer' and a.backend_start > $1
)
