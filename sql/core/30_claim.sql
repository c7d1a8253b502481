-- The claim: which rows go out now, in one transaction.  Picking, the policy, the slots of the cap, the journal's verdict on
-- duplicates and the lease are committed together, so that what a sidecar is told to send is on record before it sends it.

-- Picking ----------------------------------------------------------------------------------------------------------------
-- The heaviest rank first, and within it by run_at: one short index scan per rank, however many rows wait or lie ahead.
--
-- What was sent leaves dead entries at the head of the index, which vacuum cannot clear away while an old snapshot is held.  So a
-- session remembers for each rank (email.picked) how far it has come, and looks from there on.  That is a hint and nothing
-- more: everything is read when it leads to nothing, and once a second, so that a row that appears before that place, because
-- its transaction took long or another sidecar gave it back, is found too.
create or replace function public.email_pick(row_limit integer) returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    instant constant timestamptz := public.email_now();
    -- A row whose transaction began since then may well appear behind the others: it must not wait for the second to end.
    settled constant timestamptz := instant - interval '500 milliseconds';
    known jsonb := nullif(current_setting('email.picked', true), '')::jsonb;
    picked bigint[];
    last_rank integer;
    last_run_at timestamptz;
    last_id bigint;
begin
    if known is not null and clock_timestamp() < (known ->> 'read_at')::timestamptz + interval '1 second' then
        with ranks as (
            select r.rank, coalesce((k.place ->> 0)::timestamptz, '-infinity') as run_at, coalesce((k.place ->> 1)::bigint, 0) as id
            from (
                select t.priority from public.email_types t
                union
                select p::integer from jsonb_object_keys(known -> 'places') p
            ) r (rank)
            cross join lateral (select known -> 'places' -> r.rank::text) k (place)
            order by r.rank desc
        ),
        due as (
            select d.id, d.rank, d.run_at
            from ranks r
            cross join lateral (
                select o.id, o.rank, o.run_at from public.email_outbox o
                where o.status = 'queued' and o.retry_at is null and o.rank = r.rank and o.run_at <= instant
                and (o.run_at, o.id) >= (r.run_at, r.id)
                order by o.run_at, o.id
                limit row_limit
                for update skip locked
            ) d
            limit row_limit
        )
        select array_agg(d.id order by d.rank desc, d.run_at, d.id), min(d.rank),
            (array_agg(d.run_at order by d.rank, d.run_at desc, d.id desc))[1], (array_agg(d.id order by d.rank, d.run_at desc, d.id desc))[1]
        into picked, last_rank, last_run_at, last_id
        from due d;
    else
        known := null;
    end if;

    if known is null or picked is null then
        known := jsonb_build_object('read_at', clock_timestamp());
        with recursive ranks as (
            (
                select o.rank from public.email_outbox o
                where o.status = 'queued' and o.retry_at is null
                order by o.rank desc
                limit 1
            )
            union all
            select (
                select o.rank from public.email_outbox o
                where o.status = 'queued' and o.retry_at is null and o.rank < r.rank
                order by o.rank desc
                limit 1
            )
            from ranks r
            where r.rank is not null
        ),
        due as (
            select d.id, d.rank, d.run_at
            from ranks r
            cross join lateral (
                select o.id, o.rank, o.run_at from public.email_outbox o
                where o.status = 'queued' and o.retry_at is null and o.rank = r.rank and o.run_at <= instant
                order by o.run_at, o.id
                limit row_limit
                for update skip locked
            ) d
            where r.rank is not null
            limit row_limit
        )
        select array_agg(d.id order by d.rank desc, d.run_at, d.id), min(d.rank),
            (array_agg(d.run_at order by d.rank, d.run_at desc, d.id desc))[1], (array_agg(d.id order by d.rank, d.run_at desc, d.id desc))[1]
        into picked, last_rank, last_run_at, last_id
        from due d;
    end if;

    -- Ranks above the last one picked were read to their end, and when there was room left, all were.
    perform set_config('email.picked', jsonb_build_object(
        'read_at', known -> 'read_at',
        'places', coalesce(known -> 'places', '{}') || coalesce((
            select jsonb_object_agg(r.rank, case
                when r.rank = last_rank and cardinality(picked) = row_limit and last_run_at < settled
                    then jsonb_build_array(last_run_at, last_id)
                else jsonb_build_array(settled, 0)
            end)
            from (select t.priority from public.email_types t union select last_rank) r (rank)
            where r.rank >= last_rank or r.rank is not null and (cardinality(picked) = row_limit) is not true
        ), '{}')
    )::text, false);
    return picked;
end
$$;
comment on function public.email_pick(integer) is 'Locks up to so many due rows that no other sidecar has locked, and answers their ids in the order they should go out; null when there is none.';
revoke all on function public.email_pick(integer) from public;

-- Unsubscribe tokens are made when the first letter with a link goes out.
create or replace function public.email_token(user_id uuid) returns uuid
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    token uuid := (select p.unsubscribe_token from public.email_preferences p where p.user_id = email_token.user_id);
begin
    if token is null then
        insert into public.email_preferences (user_id) values (email_token.user_id) on conflict (user_id) do nothing;
        token := (select p.unsubscribe_token from public.email_preferences p where p.user_id = email_token.user_id);
    end if;
    return token;
end
$$;
comment on function public.email_token(uuid) is 'The token of a user''s unsubscribe and preferences links; makes their preferences row (with the defaults) when there is none.';
revoke all on function public.email_token(uuid) from public;

-- A letter's number in the journal, which is also what the provider is given.  Made of the outbox row and not at random, so that a
-- claim which a failover forgot is made again with the same bytes.  By time first (a UUID of version 8, RFC 9562 section 5.8):
-- at random each would touch another page of the index, and after a checkpoint write that whole page to the log.
-- Stable and without settings of its own, so that it becomes a part of the claim's statement.
create or replace function public.email_delivery_id(enqueued_at timestamptz, dedupe_key text) returns uuid
language sql stable
as $$
-- Whatever was written into created_at, also infinity.
select (
    pg_catalog.lpad(pg_catalog.to_hex(pg_catalog.floor(1000 operator(pg_catalog.*) pg_catalog.date_part('epoch', least(greatest(enqueued_at, 'epoch'), '9999-01-01')))::pg_catalog.int8), 12, '0')
    operator(pg_catalog.||) '8' operator(pg_catalog.||) pg_catalog.substr(pg_catalog.md5(dedupe_key), 1, 3)
    operator(pg_catalog.||) '8' operator(pg_catalog.||) pg_catalog.substr(pg_catalog.md5(dedupe_key), 4, 15)
)::pg_catalog.uuid
$$;
comment on function public.email_delivery_id(timestamptz, text) is 'The id of the journal''s row for an outbox row that was enqueued then under this key: by time, and always the same.';
revoke all on function public.email_delivery_id(timestamptz, text) from public;

-- The claim ----------------------------------------------------------------------------------------------------------------
-- Long, because its statements are one transaction's decision, and share what was picked.
create or replace function public.email_claim(worker text, provider text, batch_size integer, lease interval, batches integer default 1)
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
    tracking boolean
)
language plpgsql
rows 100
set search_path = pg_catalog, pg_temp
-- A session keeps its plans (planning anew for each array took longer than the work), and one made while a table was empty
-- would read all of it later.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    -- One for each request that may become of it.
    batch_ids constant uuid[] := array(select gen_random_uuid() from generate_series(1, batches));
    picked bigint[];
    most constant integer := public.email_claim_size(batch_size * batches);
    decided record;
    slots record;
    sends integer;
    claimed integer;
    freed_ids bigint[] := array[]::bigint[];
    freed_slots text[] := array[]::text[];
begin
    if most = 0 then
        return;
    end if;

    -- Nothing leaves before its intent is committed (email_batch_ready), which flushes this commit too: it need not wait for
    -- the disk by itself.  When the server crashes in between, nothing was claimed and nothing was sent.
    perform set_config('synchronous_commit', 'off', true);

    -- Backoffs that are over go back to the end of their queue.
    if exists (select from public.email_outbox o where o.status = 'queued' and o.retry_at <= clock_timestamp()) then
        update public.email_outbox o set retry_at = null
        where o.id in (
            select r.id from public.email_outbox r
            where r.status = 'queued' and r.retry_at <= clock_timestamp()
            order by r.retry_at
            limit 4 * most
            for update skip locked
        );
    end if;

    -- Again while all that was picked ended or waits: a sidecar that gets nothing believes that there is nothing.
    for round in 1..20 loop
        picked := public.email_pick(most);
        if picked is null then
            -- A session that finds nothing for the first time runs all of this once with nothing, so that its plans are made
            -- before a letter waits for them.
            exit when current_setting('email.warm', true) = 'yes';
            perform set_config('email.warm', 'yes', false);
            picked := array[]::bigint[];
        else
            exit when most = 1 and round = 1 and not public.email_take_probe(worker);
        end if;

        -- What the policy says.
        select array_agg(d.id) as ids, array_agg(d.verdict) as verdicts, array_agg(d.reason) as reasons,
            array_agg(d.recipient) as recipients, array_agg(d.slot) as slots, array_agg(d.context) as contexts,
            array_agg(d.reader) as readers, array_agg(d.token) as tokens, array_agg(d.tracking) as trackings,
            array_agg(d.id order by d.place) filter (where d.slot is not null) as capped_ids,
            array_agg(d.slot order by d.place) filter (where d.slot is not null) as capped_slots, array_agg(d.category order by d.place) filter (where d.slot is not null) as capped_categories,
            array_agg(d.id) filter (where d.row_slot is not null and d.verdict in ('suppress', 'fail')) as freed_ids,
            array_agg(d.row_slot) filter (where d.row_slot is not null and d.verdict in ('suppress', 'fail')) as freed_slots,
            count(*) filter (where d.verdict = 'send') as sends,
            count(*) filter (where d.verdict = 'send' and d.reader is not null and d.token is null) as new_readers
        into decided
        from (
            select g.id, p.place, g.category, g.row_slot, g.recipient, g.context, g.tracking, g.verdict, g.reason,
                case when g.verdict = 'send' and g.capped then g.slot end as slot,
                -- Whose links the letter carries; security and transactional letters have none.
                case when g.category in ('product', 'marketing') then g.reader end as reader,
                case when g.category in ('product', 'marketing') then g.token end as token
            from public.email_gates(picked) g
            join unnest(picked) with ordinality as p (id, place) on p.id = g.id
        ) d;

        freed_ids := freed_ids || decided.freed_ids;
        freed_slots := freed_slots || decided.freed_slots;
        select s.asked, s.waiting, s.run_ats, s.reasons into slots
        from public.email_slots_take(decided.capped_ids, decided.capped_slots, decided.capped_categories) s
        where decided.capped_ids is not null;
        sends := decided.sends - coalesce(cardinality(slots.waiting), 0);
        -- Only for those that are sent, and so after all slots were asked for: two claims must not wait for each other.
        if decided.new_readers > 0 and sends > 0 then
            insert into public.email_preferences (user_id)
            select distinct r.user_id
            from unnest(decided.ids, decided.verdicts, decided.readers, decided.tokens) as r (id, verdict, user_id, token)
            where r.verdict = 'send' and r.user_id is not null and r.token is null and r.id <> all(coalesce(slots.waiting, '{}'))
            order by 1
            on conflict (user_id) do nothing;
        end if;

        return query
        with judged as materialized (
            select o.*, public.email_delivery_id(o.created_at, o.dedupe_key) as own_id, d.recipient, d.context, d.reader, d.token, d.tracking, d.slot as taken, t.category, w.run_at as wait_until,
                case when w.id is not null then 'wait' else d.verdict end as final,
                case when w.id is not null then w.reason else d.reason end as final_reason
            from unnest(decided.ids, decided.verdicts, decided.reasons, decided.recipients, decided.slots, decided.contexts, decided.readers, decided.tokens,
                decided.trackings) as d (id, verdict, reason, recipient, slot, context, reader, token, tracking)
            cross join lateral (select x.* from public.email_outbox x where x.id = d.id limit 1) o
            join public.email_types t on t.code = o.email_type
            left join unnest(slots.waiting, slots.run_ats, slots.reasons) as w (id, run_at, reason) on w.id = d.id
        ),
        journaled as (
            insert into public.email_deliveries as j
                (id, user_id, project_id, email_type, dedupe_key, status, payload_json, error_message, created_at, outbox_id, provider, variant, slot, slot_category)
            select
                -- Unless the key of the row that has it was renamed.  A scalar subquery, because "exists" may be planned as a hash of the whole journal by a session that met it empty.
                case when (select x.id from public.email_deliveries x where x.id = d.own_id) is not null then gen_random_uuid() else d.own_id end,
                d.user_id, d.project_id, d.email_type, d.dedupe_key,
                case d.final when 'send' then 'queued' when 'fail' then 'failed' else 'suppressed' end,
                case
                    when d.final = 'send' then jsonb_build_object('to_email', d.recipient, 'context', d.context)
                    when d.final_reason = 'forgotten' then '{"reason": "forgotten"}'
                    else jsonb_strip_nulls(jsonb_build_object('to_email', d.recipient, 'reason', case when d.final = 'suppress' then d.final_reason end))
                end,
                case when d.final = 'fail' then d.final_reason end,
                public.email_now(), d.id, case when d.final = 'send' then $2 end,
                case when d.final = 'send' then d.context ->> 'subject_variant' end, case when d.final = 'send' then d.taken end, case when d.final = 'send' and d.taken is not null then d.category end
            from judged d
            where d.final in ('send', 'suppress', 'fail')
            on conflict (dedupe_key) do update set
                status = excluded.status, payload_json = excluded.payload_json, error_message = excluded.error_message,
                outbox_id = excluded.outbox_id, provider = excluded.provider, variant = excluded.variant, slot = excluded.slot, slot_category = excluded.slot_category
            where (j.outbox_id = excluded.outbox_id and j.status in ('queued', 'failed'))
            or (j.status = 'failed' and j.provider_message_id is null)
            returning j.id as delivery_id, j.outbox_id
        ),
        placed as (
            select d.*, j.delivery_id,
                case when d.final in ('send', 'suppress', 'fail') and j.delivery_id is null then 'duplicate' else d.final end as action,
                row_number() over (partition by d.final = 'send' and j.delivery_id is not null order by array_position(picked, d.id)) - 1 as place
            from judged d
            left join journaled j on j.outbox_id = d.id
        ),
        updated as (
            update public.email_outbox o set
                status = case p.action when 'send' then 'sending' when 'fail' then 'failed' when 'wait' then 'queued' when 'retry' then 'queued' else 'suppressed' end,
                reason = case p.action
                    when 'send' then null when 'fail' then null when 'retry' then null
                    when 'duplicate' then 'duplicate: this key is in the journal already'
                    else p.final_reason end,
                last_error = case when p.action in ('fail', 'retry') then p.final_reason else o.last_error end,
                run_at = case when p.action = 'wait' then coalesce(p.wait_until, 'infinity') else o.run_at end,
                retry_at = case when p.action = 'retry' then clock_timestamp() + interval '5 minutes' end,
                -- More than that counts only for a row that goes alone (email_isolate).
                claims = case when p.action = 'send' then greatest(o.claims, least(o.claims + 1, 3)) else o.claims end,
                locked_by = case when p.action = 'send' then worker end,
                locked_until = case when p.action = 'send' then clock_timestamp() + lease end,
                batch_id = case when p.action = 'send' then batch_ids[p.place / batch_size + 1] end,
                batch_position = case when p.action = 'send' then p.place % batch_size end,
                claimed_at = case when p.action = 'send' then clock_timestamp() end,
                batch_attempts = case when p.action = 'send' then o.attempts end,
                slot = coalesce(p.taken, o.slot),
                to_email = case when p.final_reason = 'forgotten' then null else o.to_email end,
                payload = case when p.final_reason = 'forgotten' then '{}' else o.payload end,
                finished_at = case when p.action in ('fail', 'suppress', 'duplicate') then public.email_now() end
            from placed p
            where o.id = p.id
            returning o.id, o.batch_id, p.action, p.place, p.delivery_id
        )
        select u.batch_id, d.id, u.delivery_id, d.email_type, d.category, d.recipient, d.dedupe_key, d.attempts, d.context,
            case when d.reader is not null then coalesce(d.token, public.email_token(d.reader)) end,
            d.tracking
        from updated u
        join judged d on d.id = u.id
        where u.action = 'send'
        order by u.place;
        get diagnostics claimed = row_count;

        -- A duplicate must not keep the slot it took a moment ago.
        if claimed < sends then
            select array_agg(o.id) as ids, array_agg(o.slot) as slots into decided
            from public.email_outbox o
            where o.id = any(picked) and o.status = 'suppressed' and o.slot is not null;
            freed_ids := freed_ids || decided.ids;
            freed_slots := freed_slots || decided.slots;
        end if;
        exit when sends > 0 or slots.asked;
    end loop;

    -- What ends without having been sent gives its slot back.  Last, so that no row that waits for one of these slots is
    -- waited for; and in one order.
    if cardinality(freed_ids) > 0 then
        perform public.email_slots_free(freed_ids, freed_slots);
    end if;
end
$$;
comment on function public.email_claim(text, text, integer, interval, integer) is
'Claims due rows for up to so many API requests (batches) of up to batch_size each: applies the gates, takes the slots of the cap, ends the rows that must not go out, writes the journal, and answers the members of each request, one request after the other and in their order. No row: nothing can go out now.';
revoke all on function public.email_claim(text, text, integer, interval, integer) from public;

-- What a sidecar calls: email_claim, and when that has nothing, how long to wait.  One function, because the statement that calls it is parsed and planned each time (behind a pooler
-- nothing can stay prepared), while what is in it is planned once.
create or replace function public.email_claim_or_wait(worker text, provider text, batch_size integer, batches integer, lease_seconds double precision)
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
    next_seconds double precision,
    stopped boolean
)
language plpgsql
rows 100
set search_path = pg_catalog, pg_temp
set jit = off
as $$
#variable_conflict use_column
begin
    return query
    select c.batch_id, c.id, c.delivery_id, c.email_type, c.category, c.recipient, c.dedupe_key, c.attempts, c.context, c.unsubscribe_token, c.tracking,
        null::double precision, null::boolean
    from public.email_claim(worker, provider, batch_size, make_interval(secs => lease_seconds), batches) c;
    if not found then
        return query
        select null::uuid, null::bigint, null::uuid, null::text, null::text, null::text, null::text, null::integer, null::jsonb, null::uuid, null::boolean,
            public.email_next_seconds(), s.paused_at is not null or s.armed_for is distinct from public.email_identity()
        from public.email_settings s;
    end if;
end
$$;
comment on function public.email_claim_or_wait(text, text, integer, integer, double precision) is
'What a sidecar calls: the rows of email_claim; or, when nothing can go out now, one row that says in how many seconds there may be something (null: nothing waits) and whether nothing may be sent at all.';
revoke all on function public.email_claim_or_wait(text, text, integer, integer, double precision) from public;

select public.email_grant('execute on function public.email_pick(integer), public.email_token(uuid), public.email_delivery_id(timestamptz, text), public.email_claim(text, text, integer, interval, integer), public.email_claim_or_wait(text, text, integer, integer, double precision)', 'email_worker');
