-- Taking over what a lost sidecar held, and requests whose outcome is unknown.  A batch that was never sent goes back to the
-- queue.  One that was is resolved whole: same members, same order, same contexts, tokens and tracking, as they were frozen.

-- Which sidecars are gone --------------------------------------------------------------------------------------------------
-- A killed process loses its LISTEN session at once.  A living one may lose it too (a restart or failover of Postgres, a
-- network), and says so within the grace by a heartbeat or a request; if it does not, its work is taken over early, which the
-- fence makes safe and the provider's idempotency or search makes harmless.
create or replace function public.email_grace() returns interval
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
select interval '1 second'
$$;
comment on function public.email_grace() is
'How long a sidecar whose LISTEN session is gone may take to say that it is alive, before others take over what it holds. A new session and its heartbeat take some milliseconds; what is taken over too early costs a repeated request or a search, never a second letter.';
revoke all on function public.email_grace() from public;

-- The sidecar that looks next, also one that has just started, finds the stamp and goes on from there.
create or replace function public.email_miss_workers(worker text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    missed record;
begin
    -- Sessions are listed once per transaction unless told otherwise, and may be younger than that list.
    perform pg_stat_clear_snapshot();
    select array_agg(w.id) as ids, array_agg(w.session_pid) as sessions into missed
    from public.email_workers w
    where w.id <> worker and w.lost_at is null and w.session_pid is not null and w.state <> 'stopped'
    and not exists (
        select from pg_catalog.pg_stat_activity a
        where a.pid = w.session_pid and (a.backend_start = w.session_start) is not false
    );
    if missed.ids is null then
        return;
    end if;
    -- A row that is locked belongs to a sidecar that says at this moment that it is alive, or is noted as missed by another.
    update public.email_workers w set lost_at = clock_timestamp()
    where w.id in (
        select l.id from public.email_workers l
        join unnest(missed.ids, missed.sessions) as m (id, session_pid) on m.id = l.id and m.session_pid = l.session_pid
        where l.lost_at is null
        for update of l skip locked
    );
end
$$;
comment on function public.email_miss_workers(text) is
'Notes of every other sidecar whose LISTEN session is gone that it is missed from now on (email_workers.lost_at); any sign of life clears that.';
revoke all on function public.email_miss_workers(text) from public;

create or replace function public.email_lost_workers(worker text) returns text[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform public.email_miss_workers(worker);
    return array(
        select w.id from public.email_workers w
        where w.id <> worker and (w.state = 'stopped' or w.lost_at <= clock_timestamp() - public.email_grace())
    );
end
$$;
comment on function public.email_lost_workers(text) is
'Sidecars that are gone: stopped, or missed for longer than the grace without a sign of life. One that never had a LISTEN session is only gone when its lease is over.';
revoke all on function public.email_lost_workers(text) from public;

-- What kills sidecars --------------------------------------------------------------------------------------------------------
-- A row that was claimed three times by sidecars that died before they sent anything is suspect: it goes alone, so that it takes
-- no other row along, and from then on only what it does alone counts.  A sidecar that dies with several rows may have died of any.
create or replace function public.email_release_unsent(batch uuid) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    ids bigint[];
begin
    with freed as (
        update public.email_outbox o set
            status = 'queued', locked_by = null, locked_until = null, batch_id = null, batch_position = null, claimed_at = null, batch_attempts = null
        where o.batch_id = batch and o.status = 'sending' and o.claims < 3
        returning o.id
    )
    select array_agg(f.id) into ids from freed f;
    return coalesce(cardinality(ids), 0);
end
$$;
comment on function public.email_release_unsent(uuid) is
'Puts the members of a batch that was never sent back into the queue, to be judged and rendered anew; those that are suspected of taking sidecars down stay. Answers how many went.';
revoke all on function public.email_release_unsent(uuid) from public;

create or replace function public.email_isolate(worker text, row_id bigint, lease interval) returns uuid
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    alone uuid := gen_random_uuid();
begin
    with poison as (
        update public.email_outbox o set
            status = 'failed', last_error = 'given up: claimed five times alone without an outcome',
            locked_by = null, locked_until = null, finished_at = public.email_now()
        -- A sidecar that looks for what it holds itself is alive.
        where o.id = row_id and o.claims >= 8 and o.locked_by <> worker
        returning o.dedupe_key, o.last_error
    )
    update public.email_deliveries d set status = 'failed', error_message = p.last_error
    from poison p
    where d.dedupe_key = p.dedupe_key;
    if found then
        perform public.email_slots_settle(null, array[row_id]);
        return null;
    end if;
    update public.email_outbox o set
        batch_id = alone, batch_position = 0, locked_by = worker, locked_until = clock_timestamp() + lease,
        claims = o.claims + (o.locked_by <> worker)::integer, claimed_at = clock_timestamp()
    where o.id = row_id;
    return alone;
end
$$;
comment on function public.email_isolate(text, bigint, interval) is
'Claims one row alone, in a batch of its own whose id it answers; null when the row is given up instead, because five sidecars died while it was alone.';
revoke all on function public.email_isolate(text, bigint, interval) from public;

-- Taking over --------------------------------------------------------------------------------------------------------------
-- Long, because a batch is chosen, locked and answered in one place, under the same locks.
create or replace function public.email_take_over(worker text, provider text, lease interval, busy uuid[] default null)
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
    unsettled boolean,
    sent_before boolean,
    resolvable boolean,
    last_look boolean,
    age_seconds double precision
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    batch uuid;
    members bigint[];
    suspect bigint;
    sent public.email_batches;
    gone text[];
    looked_at uuid[] := array[]::uuid[];
begin
    -- Not for the holder of a probe either: a repetition would be taken for the probe.
    if not exists (
        select from public.email_settings s where s.paused_at is null and s.armed_for is not distinct from public.email_identity()
    ) then
        return;
    end if;
    gone := public.email_lost_workers(worker);
    loop
        suspect := null;
        select o.batch_id into batch
        from public.email_outbox o
        left join public.email_batches b on b.batch_id = o.batch_id
        where o.status = 'sending'
        and (
            o.locked_until <= clock_timestamp()
            or (
                (o.locked_by = any(gone) or (o.locked_by = $1 and o.batch_id <> all(busy)))
                and b.state is distinct from 'unknown' and b.recovery is distinct from 'again'
            )
        )
        and (b.provider is null or b.provider = $2 or b.resolve_until <= clock_timestamp())
        and o.batch_id <> all(looked_at)
        -- What only goes back to the queue first, then what a lost one had under way, and what is merely asked for again last.
        order by b.batch_id is null and o.claims < 3 desc, o.locked_until > clock_timestamp() desc, o.locked_until
        limit 1;
        if not found then
            return;
        end if;
        looked_at := looked_at || batch;

        -- All of it or nothing, and without waiting: a sidecar that settles it at this moment locks its rows in another order.  What is
        -- read after is up to date.
        members := array(
            select o.id from public.email_outbox o
            where o.batch_id = batch and o.status = 'sending'
            order by o.batch_position
            for update skip locked
        );
        continue when not exists (
            select from public.email_outbox o
            where o.id = members[1] and (o.locked_until <= clock_timestamp() or o.locked_by = any(gone) or o.locked_by = worker)
        ) or exists (
            select from public.email_outbox o where o.batch_id = batch and o.status = 'sending' and o.id <> all(members)
        );
        select b.* into sent from public.email_batches b where b.batch_id = batch;

        if not found then
            perform public.email_release_unsent(batch);
            suspect := (
                select o.id from public.email_outbox o where o.batch_id = batch and o.status = 'sending' order by o.batch_position limit 1
            );
            continue when suspect is null;
            batch := public.email_isolate(worker, suspect, lease);
            -- The others of that batch are looked at again, one by one.
            looked_at := array[]::uuid[];
            continue when batch is null;
        else
            update public.email_outbox o set locked_by = worker, locked_until = clock_timestamp() + lease
            where o.id = any(members);
            update public.email_batches b set searches = b.searches + 1 where b.batch_id = batch and b.recovery = 'search';
        end if;
        exit;
    end loop;

    return query
    select batch, o.id, d.id, o.email_type, t.category, d.payload_json ->> 'to_email', o.dedupe_key, coalesce(o.batch_attempts, o.attempts),
        d.payload_json -> 'context',
        -- Whose links it carries, and who consented, as the claim decides it.
        case when m.place is not null then sent.tokens[m.place]
            when t.category in ('product', 'marketing') and g.reader is not null then coalesce(g.token, public.email_token(g.reader)) end,
        case when m.place is not null then sent.tracked[m.place] else coalesce(g.tracking, false) end,
        o.status = 'sending', sent.batch_id is not null,
        coalesce(sent.resolve_until > clock_timestamp(), true),
        coalesce(sent.recovery = 'search' and clock_timestamp() >= greatest(sent.last_sent_at + sent.patience,
            case when sent.state = 'sending' then sent.in_flight_until end), false),
        coalesce(extract(epoch from clock_timestamp() - sent.first_sent_at), 0)::double precision
    from public.email_outbox o
    join public.email_deliveries d on d.dedupe_key = o.dedupe_key
    join public.email_types t on t.code = o.email_type
    left join unnest(sent.members) with ordinality m (id, place) on m.id = o.id
    left join public.email_gates(case when suspect is not null then array[suspect] end) g on g.id = o.id
    where o.id = any(sent.members || array(select x.id from public.email_outbox x where x.batch_id = batch and x.status = 'sending'))
    and o.batch_id = batch
    order by o.batch_position;
end
$$;
comment on function public.email_take_over(text, text, interval, uuid[]) is
'Claims one batch whose sidecar is gone, that this sidecar holds without knowing of it (busy: those it knows; the answer to its claim was lost), or whose outcome is unknown and due to be asked for again. sent_before: it may have been accepted, so the provider decides whether it may be repeated; unsettled: false for a member whose outcome is known already and that is only needed to repeat the request; last_look: a search that finds nothing now means not accepted; resolvable: false when the provider can no longer tell.';
revoke all on function public.email_take_over(text, text, interval, uuid[]) from public;

select public.email_grant(
    'execute on function public.email_grace(), public.email_miss_workers(text), public.email_lost_workers(text), public.email_release_unsent(uuid), public.email_isolate(text, bigint, interval), public.email_take_over(text, text, interval, uuid[])',
    'email_worker');
