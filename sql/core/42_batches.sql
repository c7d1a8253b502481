-- The send intent: one row per API request, committed before the request leaves.  What has no row here was never sent.

create or replace function public.email_batch_ready(
    worker text,
    batch uuid,
    ids bigint[],
    provider text,
    endpoint text,
    recovery text,
    idempotency_key text,
    body_sha256 bytea,
    settings jsonb,
    tokens uuid[],
    tracked boolean[],
    lease interval,
    request_limit interval,
    resolvable_for interval,
    patience interval,
    rate double precision
) returns table (verdict text, wait_seconds double precision)
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_variable
declare
    first_member record;
    turn record;
    leaves_at timestamptz;
begin
    if not public.email_may_send(worker) then
        return query select 'stopped', 0::double precision;
        return;
    end if;

    -- A sign of life, for the sidecars that miss our LISTEN session.
    update public.email_workers w set lost_at = null where w.id = worker and w.lost_at is not null;

    -- The first member stands for the batch: a sidecar that takes the batch over locks it as well.  A holder says that it is being sent.
    select o.rank, o.locked_until into first_member
    from public.email_outbox o
    where o.id = any(ids) and o.batch_id = batch and o.locked_by = worker
    order by o.batch_position
    limit 1
    for no key update;
    if not found or exists (
        select from public.email_outbox o
        where o.id = any(ids) and (o.batch_id is distinct from batch or o.locked_by <> worker)
    ) then
        return query select 'lost', 0::double precision;
        return;
    end if;
    if first_member.locked_until < clock_timestamp() + lease / 2 then
        update public.email_outbox o set locked_until = clock_timestamp() + lease
        where o.id = any(ids) and o.batch_id = batch and o.locked_by = worker;
    end if;

    select t.* into turn from public.email_take_turn(provider, rate, public.email_urgent(first_member.rank)) t;
    if not turn.granted then
        return query select 'wait', turn.wait_seconds;
        return;
    end if;

    leaves_at := clock_timestamp() + make_interval(secs => turn.wait_seconds);
    insert into public.email_batches as b
        (batch_id, provider, endpoint, worker, recovery, first_sent_at, last_sent_at, in_flight_until, resolve_until, patience,
        members, idempotency_key, body_sha256, settings, tokens, tracked)
    values
        (batch, provider, endpoint, worker, recovery, leaves_at, leaves_at, leaves_at + 2 * request_limit, leaves_at + resolvable_for,
        case when recovery = 'search' then patience end, ids, idempotency_key, body_sha256, settings, tokens, tracked)
    on conflict (batch_id) do update set
        state = 'sending', worker = excluded.worker, attempt = b.attempt + 1,
        last_sent_at = excluded.last_sent_at, in_flight_until = excluded.in_flight_until
    where b.body_sha256 = excluded.body_sha256 and b.idempotency_key = excluded.idempotency_key
    and b.endpoint = excluded.endpoint and b.provider = excluded.provider and b.members = excluded.members;
    if not found then
        update public.email_batches b set
            mismatched_at = clock_timestamp(),
            mismatched_by = worker || ' would render it with ' || settings::text
        where b.batch_id = batch;
        return query select 'mismatch', 0::double precision;
        return;
    end if;

    return query select 'send', turn.wait_seconds;
end
$$;
comment on function public.email_batch_ready(text, uuid, bigint[], text, text, text, text, bytea, jsonb, uuid[], boolean[], interval, interval, interval, interval, double precision) is
'Asked before every request. send: the intent is on record, the request leaves after wait_seconds. wait: the fleet has no turn yet, ask again after wait_seconds. lost: another sidecar holds the batch. mismatch: it was sent before as other bytes, so this sidecar must not repeat it. stopped: sending is paused or this database is not armed.';
revoke all on function public.email_batch_ready(text, uuid, bigint[], text, text, text, text, bytea, jsonb, uuid[], boolean[], interval, interval, interval, interval, double precision) from public;

-- When a whole request was rejected nothing of it was sent: its members go into new batches.
create or replace function public.email_batch_split(worker text, batch uuid, ids bigint[], batches uuid[], lease interval) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    moved integer;
begin
    update public.email_outbox o set
        batch_id = m.batch_id, claimed_at = clock_timestamp(), locked_until = clock_timestamp() + lease
    from unnest(ids, batches) m (id, batch_id)
    where o.id = m.id and o.batch_id = batch and o.locked_by = worker;
    get diagnostics moved = row_count;
    update public.email_batches b set state = 'settled', settled_at = clock_timestamp()
    where b.batch_id = batch and moved > 0;
    return moved;
end
$$;
comment on function public.email_batch_split(text, uuid, bigint[], uuid[], interval) is
'Puts the members of a batch that was rejected as a whole into smaller ones, so that the guilty one ends up alone; answers how many it still held.';
revoke all on function public.email_batch_split(text, uuid, bigint[], uuid[], interval) from public;

create or replace function public.email_next_look(sent_at timestamptz, in_flight_until timestamptz, patience interval) returns timestamptz
language sql
set search_path = pg_catalog, pg_temp
as $$
select coalesce(
    min(l.moment) filter (where l.moment > clock_timestamp()),
    clock_timestamp() + greatest(patience * 0.05, interval '1 second'))
from (
    select sent_at + patience * s.share from unnest(array[0.05, 0.2, 0.5]) s (share)
    union all
    select greatest(sent_at + patience, in_flight_until)
) l (moment)
$$;
comment on function public.email_next_look(timestamptz, timestamptz, interval) is
'When the provider''s messages are searched next: after 5, 20, 50 and 100 per cent of the patience (30 s, 2, 5 and 10 minutes), and never for the last time while a request may still be under way.';
revoke all on function public.email_next_look(timestamptz, timestamptz, interval) from public;

create or replace function public.email_cleanup_batches() returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    removed integer;
begin
    delete from public.email_batches b
    where b.batch_id in (
        select s.batch_id from public.email_batches s
        where s.state = 'settled' and s.settled_at < clock_timestamp() - (select x.retention_sent from public.email_settings x)
        order by s.settled_at
        limit 20000
        for update skip locked
    );
    get diagnostics removed = row_count;
    return removed;
end
$$;
comment on function public.email_cleanup_batches() is 'Removes up to 20,000 batches that were settled longer ago than email_settings.retention_sent. Answers how many went.';
revoke all on function public.email_cleanup_batches() from public;

select public.email_grant(g.privileges, 'email_worker')
from (values
    ('select, insert, update on public.email_batches'),
    ('execute on function public.email_batch_ready(text, uuid, bigint[], text, text, text, text, bytea, jsonb, uuid[], boolean[], interval, interval, interval, interval, double precision)'),
    ('execute on function public.email_batch_split(text, uuid, bigint[], uuid[], interval), public.email_next_look(timestamptz, timestamptz, interval), public.email_cleanup_batches()')
) g (privileges);
select public.email_grant('select (batch_id, state, provider, endpoint, worker, recovery, attempt, searches, first_sent_at, last_sent_at, in_flight_until, resolve_until, patience, settled_at, members, mismatched_at) on public.email_batches', 'email_reader');
select public.email_grant('select on public.email_batches', 'email_admin');
