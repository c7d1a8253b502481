-- The claimed rows; or, when there are none, one row that says in how many seconds there may be some (null: nothing waits)
-- and whether nothing may be sent at all.  limit 1: nobody ever analyzes a table of one row, and with the hundreds of rows that
-- are assumed then this statement would look so costly that it would be compiled (jit) for each claim.
select c.batch_id, c.id, c.delivery_id, c.email_type, c.category, c.recipient, c.dedupe_key, c.attempts, c.context,
    c.unsubscribe_token, c.tracking, c.taken_over, c.age_seconds,
    idle.next_seconds, idle.stopped
from (values (true)) as one (row)
left join lateral public.email_claim($1, $2, $3, make_interval(secs => $4)) c on true
left join lateral (
    select public.email_next_seconds() as next_seconds,
        s.paused_at is not null or s.armed_for is distinct from public.email_identity() as stopped
    from public.email_settings s
    where c.batch_id is null
    limit 1
) idle on true
