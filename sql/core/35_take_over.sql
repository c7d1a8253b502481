-- Taking over what a lost sidecar held.  A batch whose lease is over is repeated whole: same members, same order, same
-- contexts, from the journal.

create or replace function public.email_take_over(worker text, lease interval)
returns table (
    batch_id uuid,
    id bigint,
    delivery_id uuid,
    email_type text,
    category text,
    recipient text,
    dedupe_key text,
    attempts integer,
    context jsonb,
    unsubscribe_token uuid,
    tracking boolean,
    taken_over boolean,
    age_seconds double precision
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    batch uuid;
begin
    select o.batch_id into batch
    from public.email_outbox o
    where o.status = 'sending' and o.locked_until <= clock_timestamp()
    order by o.locked_until
    limit 1
    for update skip locked;
    if batch is null then
        return;
    end if;

    with poison as (
        update public.email_outbox o set
            status = 'failed', reason = 'unknown outcome', last_error = 'given up: claimed five times without an outcome',
            locked_by = null, locked_until = null, finished_at = public.email_now()
        where o.batch_id = batch and o.status = 'sending' and o.locked_until <= clock_timestamp() and o.claims >= 5
        returning o.dedupe_key, o.last_error
    )
    update public.email_deliveries d set
        status = 'failed', error_message = p.last_error, payload_json = d.payload_json || '{"reason": "unknown outcome"}'
    from poison p
    where d.dedupe_key = p.dedupe_key;

    return query
    with taken as (
        update public.email_outbox o set
            locked_by = worker, locked_until = clock_timestamp() + lease, claims = o.claims + 1
        where o.batch_id = batch and o.status = 'sending' and o.locked_until <= clock_timestamp()
        returning o.*
    )
    select batch, o.id, d.id, o.email_type, t.category, d.payload_json ->> 'to_email', o.dedupe_key, o.batch_attempts,
        d.payload_json -> 'context',
        case when t.category in ('product', 'marketing') then coalesce(pc.unsubscribe_token, public.email_token(o.user_id)) end,
        t.category <> 'security' and coalesce(pr.tracking_consent, false),
        true, extract(epoch from clock_timestamp() - o.claimed_at)::double precision
    from taken o
    join public.email_deliveries d on d.dedupe_key = o.dedupe_key
    join public.email_types t on t.code = o.email_type
    left join public.email_preferences pr on pr.user_id = o.user_id
    left join lateral (
        select c.unsubscribe_token from public.email_project_contacts c
        where o.to_email is not null and c.project_id = o.project_id and lower(c.email) = lower(o.to_email) and c.user_id is null
        limit 1
    ) pc on true
    order by o.batch_position;
end
$$;
comment on function public.email_take_over(text, interval) is
'Claims one batch whose sidecar is gone, as it was: what became of its request is unknown, so the provider decides whether it may be repeated.';
revoke all on function public.email_take_over(text, interval) from public;
