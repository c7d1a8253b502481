-- The claim: which rows go out now, in one transaction.  Picking, policy, late binding, the journal's verdict on duplicates
-- and the lease are committed together, so that what a sidecar is told to send is on record before it sends it.

-- Late binding -------------------------------------------------------------------------------------------------------
-- Asks each code's own function, once per code.  When that fails for the set, each row is asked alone, so that a poison
-- row fails alone.  A missing table, column or function (class 42) is no row's fault: its rows wait and doctor says so.
create or replace function public.email_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb, failure text, broken boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    kind record;
    row_id bigint;
    call text;
begin
    for kind in
        select o.email_type, array_agg(o.id) as ids from public.email_outbox o where o.id = any(email_current.ids) group by o.email_type
    loop
        call := format('select c.id, c.untrue, c.context, null::text, false from public.%I($1) c', public.email_function(kind.email_type, 'current'));
        begin
            return query execute call using kind.ids;
        exception when others then
            foreach row_id in array kind.ids loop
                begin
                    return query execute call using array[row_id];
                exception when others then
                    return query select row_id, null::text, null::jsonb, sqlstate || ': ' || sqlerrm, sqlstate like '42%';
                end;
            end loop;
        end;
    end loop;
end
$$;
comment on function public.email_current(bigint[]) is
'Whether each of these rows is still true (untrue null) and the fresh figures of its letter; failure says why that could not be told, broken that it is the schema''s fault and not the row''s.';
revoke all on function public.email_current(bigint[]) from public;

create or replace function public.email_first_name(name text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
select nullif(split_part(btrim(name), ' ', 1), '')
$$;
comment on function public.email_first_name(text) is 'What a letter calls somebody: the first word of their name; null when there is none.';
revoke all on function public.email_first_name(text) from public;

-- Sequences --------------------------------------------------------------------------------------------------------------
-- Steps of one sequence share their key up to the last colon; which steps there are says email_types.params.steps.  So the
-- other steps of a row are found by their keys, through the unique index.
create or replace function public.email_step(dedupe_key text) returns text
language sql immutable strict
set search_path = pg_catalog, pg_temp
as $$
select substr(dedupe_key, length(dedupe_key) - strpos(reverse(dedupe_key), ':') + 2)
$$;
comment on function public.email_step(text) is 'The step a sequence''s key ends with: payment_failed:in_1042:J3 gives J3.';
revoke all on function public.email_step(text) from public;

create or replace function public.email_step_keys(dedupe_key text, params jsonb) returns text[]
language plpgsql immutable strict
set search_path = pg_catalog, pg_temp
as $$
begin
    -- In PL/pgSQL, because that keeps its plan where a SQL function would be planned anew in each statement.
    return (
        select array_agg(left(dedupe_key, length(dedupe_key) - strpos(reverse(dedupe_key), ':') + 1) || s.step)
        from jsonb_object_keys(params -> 'steps') as s (step)
    );
end
$$;
comment on function public.email_step_keys(text, jsonb) is
'The keys of all steps of the sequence this key belongs to; null when its code has no steps.';
revoke all on function public.email_step_keys(text, jsonb) from public;

-- The gates --------------------------------------------------------------------------------------------------------------
-- In the order of the contract, rule 7: the first that applies is the row's one reason.
create or replace function public.email_gates(ids bigint[])
returns table (id bigint, verdict text, reason text, recipient text, context jsonb)
language sql
set search_path = pg_catalog, pg_temp
as $$
select
    o.id,
    gate.verdict,
    gate.reason,
    coalesce(o.to_email, u.email),
    -- What is known now wins; the payload (a fact's keys, or the context of an application's job) fills what is not.
    fresh.figures || o.payload || jsonb_strip_nulls(fresh.figures)
    -- Guarded, so that a type without variants costs nothing.
    || case when o.email_type in (select v.email_type from public.email_subject_variants v where v.enabled)
        then public.email_subject_choice(o.email_type, o.user_id) else '{}' end
from public.email_outbox o
join public.email_types t on t.code = o.email_type
left join public.users u on u.id = o.user_id
left join public.email_preferences p on p.user_id = o.user_id
left join public.email_suppressions s on lower(s.email) = lower(coalesce(o.to_email, u.email))
left join public.email_current(ids) c on c.id = o.id
cross join lateral (
    -- A copy for somebody without an account carries another person's user_id: it must not greet them by that name.
    select jsonb_build_object(
        'first_name', case when o.to_email is null or lower(o.to_email) = lower(u.email) then public.email_first_name(u.name) end,
        'time_zone', coalesce(p.timezone, 'Europe/Paris'),
        'cta_path', t.params ->> 'cta_path'
    ) || coalesce(c.context, '{}') as figures
) fresh
cross join lateral (
    select g.verdict, g.reason
    from (values
        (10, t.paused_at is not null, 'wait', 'type paused'),
        (20, t.params ? 'steps' and exists (
            select from public.email_outbox later
            where later.dedupe_key = any(public.email_step_keys(o.dedupe_key, t.params)) and later.email_type = o.email_type
            and (later.due_at, later.id) > (o.due_at, o.id)
            and (later.status in ('sending', 'sent') or least(later.due_at, later.run_at) <= public.email_now())
        ), 'suppress', 'superseded'),
        (30, o.due_at + t.expires_after <= public.email_now(), 'suppress', 'expired'),
        (40, not t.enabled, 'suppress', 'type disabled'),
        (50, u.id is null, 'suppress', 'no such user'),
        (60, s.reason in ('bounced', 'manual') and t.category <> 'security', 'suppress', 'address suppressed: ' || s.reason),
        (61, s.reason is not null and t.category in ('product', 'marketing'), 'suppress', 'address suppressed: ' || s.reason),
        (70, not coalesce(u.is_active, true) and t.category in ('product', 'marketing'), 'suppress', 'user not active'),
        (71, not coalesce(p.marketing_opt_in, true) and t.category = 'marketing', 'suppress', 'opted out of marketing'),
        (72, not coalesce(p.product_updates_opt_in, true) and t.category = 'product', 'suppress', 'opted out of product updates'),
        (90, c.broken, 'retry', c.failure),
        (91, c.failure is not null, 'fail', c.failure),
        (92, c.id is null, 'fail', public.email_function(o.email_type, 'current') || ' answered nothing for this row'),
        (93, c.untrue is not null, 'suppress', c.untrue),
        (99, true, 'send', null)
    ) g (gate, applies, verdict, reason)
    where g.applies
    order by g.gate
    limit 1
) gate
where o.id = any(ids)
$$;
comment on function public.email_gates(bigint[]) is
'What the policy says about each row now: verdict send, wait, retry, suppress or fail, the one reason, the recipient and the letter''s context.';
revoke all on function public.email_gates(bigint[]) from public;

-- Picking ----------------------------------------------------------------------------------------------------------------
-- The heaviest rank first, and within it by run_at: one short index scan per rank, however many rows wait or lie ahead.
create or replace function public.email_pick(row_limit integer) returns bigint[]
language sql
set search_path = pg_catalog, pg_temp
as $$
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
picked as (
    select d.id, d.rank, d.run_at
    from ranks r
    cross join lateral (
        select o.id, o.rank, o.run_at from public.email_outbox o
        where o.status = 'queued' and o.retry_at is null and o.rank = r.rank and o.run_at <= public.email_now()
        order by o.run_at, o.id
        limit row_limit
        for update skip locked
    ) d
    where r.rank is not null
    limit row_limit
)
select array_agg(p.id order by p.rank desc, p.run_at, p.id) from picked p
$$;
comment on function public.email_pick(integer) is 'Locks up to so many due rows that no other sidecar has locked, and answers their ids in the order they should go out; null when there is none.';
revoke all on function public.email_pick(integer) from public;

-- Unsubscribe tokens are made when the first letter with a link goes out.
create or replace function public.email_token(user_id uuid) returns uuid
language sql
set search_path = pg_catalog, pg_temp
as $$
insert into public.email_preferences as p (user_id) values ($1)
on conflict (user_id) do update set user_id = excluded.user_id
returning p.unsubscribe_token
$$;
comment on function public.email_token(uuid) is 'The token of a user''s unsubscribe and preferences links; makes their preferences row (with the defaults) when there is none.';
revoke all on function public.email_token(uuid) from public;

-- The claim ----------------------------------------------------------------------------------------------------------------
create or replace function public.email_claim(worker text, provider text, batch_size integer, lease interval)
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
    batch uuid := gen_random_uuid();
    picked bigint[];
    most constant integer := public.email_claim_size(batch_size);
begin
    if most = 0 then
        return;
    end if;

    -- Backoffs that are over go back to the end of their queue.
    if exists (select from public.email_outbox o where o.status = 'queued' and o.retry_at <= clock_timestamp()) then
        update public.email_outbox o set retry_at = null
        where o.id in (
            select r.id from public.email_outbox r
            where r.status = 'queued' and r.retry_at <= clock_timestamp()
            order by r.retry_at
            limit 4 * batch_size
            for update skip locked
        );
    end if;

    picked := public.email_pick(most);
    if picked is null or (most = 1 and not public.email_take_probe(worker)) then
        return;
    end if;

    return query
    with decided as materialized (
        select o.*, g.verdict, g.reason as gate_reason, g.recipient, g.context, t.category, t.expires_after
        from unnest(picked) with ordinality as p (id, position)
        join public.email_outbox o on o.id = p.id
        join public.email_gates(picked) g on g.id = p.id
        join public.email_types t on t.code = o.email_type
    ),
    -- A row that was claimed five times and never settled takes its sidecars down: it is given up alone.
    judged as materialized (
        select d.*,
            case when d.verdict = 'send' and d.claims >= 5 then 'fail' else d.verdict end as final,
            case when d.verdict = 'send' and d.claims >= 5 then 'given up: claimed five times without an outcome' else d.gate_reason end as final_reason
        from decided d
    ),
    journaled as (
        insert into public.email_deliveries as j
            (user_id, project_id, email_type, dedupe_key, status, payload_json, error_message, created_at, outbox_id, provider, variant)
        select
            d.user_id, d.project_id, d.email_type, d.dedupe_key,
            case d.final when 'send' then 'queued' when 'fail' then 'failed' else 'suppressed' end,
            jsonb_strip_nulls(jsonb_build_object('to_email', d.recipient, 'reason', case when d.final = 'suppress' then d.final_reason end))
                || case when d.final = 'send' then jsonb_build_object('context', d.context) else '{}' end,
            case when d.final = 'fail' then d.final_reason end,
            public.email_now(), d.id, case when d.final = 'send' then $2 end, case when d.final = 'send' then d.context ->> 'subject_variant' end
        from judged d
        where d.final in ('send', 'suppress', 'fail')
        on conflict (dedupe_key) do update set
            status = excluded.status, payload_json = excluded.payload_json, error_message = excluded.error_message,
            outbox_id = excluded.outbox_id, provider = excluded.provider, variant = excluded.variant
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
            run_at = case when p.action = 'wait' then 'infinity' else o.run_at end,
            retry_at = case when p.action = 'retry' then clock_timestamp() + interval '5 minutes' end,
            claims = o.claims + (p.action = 'send')::integer,
            locked_by = case when p.action = 'send' then worker end,
            locked_until = case when p.action = 'send' then clock_timestamp() + lease end,
            batch_id = case when p.action = 'send' then batch end,
            batch_position = case when p.action = 'send' then p.place end,
            claimed_at = case when p.action = 'send' then clock_timestamp() end,
            batch_attempts = case when p.action = 'send' then o.attempts end,
            finished_at = case when p.action in ('fail', 'suppress', 'duplicate') then public.email_now() end
        from placed p
        where o.id = p.id
        returning o.id, p.action, p.place, p.delivery_id
    )
    select batch, d.id, u.delivery_id, d.email_type, d.category, d.recipient, d.dedupe_key, d.attempts, d.context,
        case when d.category in ('product', 'marketing') then coalesce(pc.unsubscribe_token, public.email_token(d.user_id)) end,
        d.category <> 'security' and coalesce(pr.tracking_consent, false),
        false, 0::double precision
    from updated u
    join judged d on d.id = u.id
    left join public.email_preferences pr on pr.user_id = d.user_id
    left join lateral (
        select c.unsubscribe_token from public.email_project_contacts c
        where d.to_email is not null and c.project_id = d.project_id and lower(c.email) = lower(d.to_email) and c.user_id is null
        limit 1
    ) pc on true
    where u.action = 'send'
    order by u.place;
end
$$;
comment on function public.email_claim(text, text, integer, interval) is
'Claims up to batch_size due rows for a sidecar: applies the gates, ends the rows that must not go out, writes the journal, and answers the members of one API request in their order. No row: nothing can go out now.';
revoke all on function public.email_claim(text, text, integer, interval) from public;
