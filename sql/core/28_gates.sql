-- What is asked about a row before it goes out: is it still true, what are its figures, and does the policy let it through?

-- Late binding -------------------------------------------------------------------------------------------------------
-- Asks each code's own function, once per code.  When that fails for the set, each row is asked alone, so that a poison
-- row fails alone.  A missing table, column or function (class 42) is no row's fault: its rows wait and doctor says so.
--
-- Written by this statement, with a branch for each code of the catalogue: a session keeps the plan of a call that stands in a function's
-- text, and plans one that is put together for execute at every claim.  That is how a code is asked that was added later, until the next
-- migrate.
do $build$
begin
    execute format($create$
create or replace function public.email_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb, failure text, broken boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
declare
    kind record;
    row_id bigint;
    call text;
begin
    for kind in
        select o.email_type, array_agg(o.id) as ids from public.email_outbox o where o.id = any(email_current.ids) group by o.email_type
    loop
        call := format('select c.id, c.untrue, c.context, null::text, false from public.%%I($1) c', public.email_function(kind.email_type, 'current'));
        begin
            case kind.email_type
%s
            else
                return query execute call using kind.ids;
            end case;
        exception when others then
            foreach row_id in array kind.ids loop
                begin
                    return query execute call using array[row_id];
                exception when others then
                    return query select row_id, null::text, null::jsonb, sqlstate || ': ' || sqlerrm, sqlstate like '42%%';
                end;
            end loop;
        end;
    end loop;
end
$body$
$create$, (
        select string_agg(format(E'            when %L then\n                return query select c.id, c.untrue, c.context, null::text, false from public.%I(kind.ids) c;',
            t.code, public.email_function(t.code, 'current')), E'\n' order by t.priority desc, t.code)
        from public.email_types t
    ));
end
$build$;
comment on function public.email_current(bigint[]) is
'Whether each of these rows is still true (untrue null) and the fresh figures of its letter; failure says why that could not be told, broken that it is the schema''s fault and not the row''s.';
revoke all on function public.email_current(bigint[]) from public;

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
-- A stable hash, the same on every version and machine: a recipient who is held out of a kind of email stays so.
create or replace function public.email_held_out(recipient text, code text, percent integer) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
select percent > 0 and ('x' || substr(md5(code || ' ' || recipient), 1, 8))::bit(32)::bigint % 100 < percent
$$;
comment on function public.email_held_out(text, text, integer) is
'Whether this recipient (a user id, or the lower-case address of someone without an account) is in the share of this code that is held out to measure what the email itself changes.';
revoke all on function public.email_held_out(text, text, integer) from public;

-- In the order of docs/rules.md#one-reason-each: the first that applies is the row's one reason.  The last one, the slot, is asked by
-- the claim (25_slots.sql), because asking is taking.  The values each gate saw come along: email_explain puts them in words.
-- Long, because it is one statement: every gate sees the same row at the same moment.
create or replace function public.email_gates(ids bigint[])
returns table (
    id bigint,
    gate text,
    verdict text,
    reason text,
    recipient text,
    person uuid,
    slot text,
    reader uuid,
    token uuid,
    tracking boolean,
    context jsonb,
    superseded boolean,
    expires_at timestamptz,
    forgotten boolean,
    known boolean,
    suppressed text,
    active boolean,
    product_updates_opt_in boolean,
    marketing_opt_in boolean,
    held_out boolean,
    untrue text,
    failure text,
    category text,
    capped boolean,
    row_slot text
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    instant timestamptz := public.email_now();
begin
    if ids is null then
        return;
    end if;
    return query
    select g.id, g.gate,
        case g.gate when 'send' then 'send' when 'paused' then 'wait' when 'broken' then 'retry' when 'failure' then 'fail' else 'suppress' end,
        case g.gate
            when 'send' then null
            when 'paused' then 'type paused'
            when 'broken' then g.failure
            when 'failure' then coalesce(g.failure, public.email_function(g.email_type, 'current') || ' answered nothing for this row')
            when 'address suppressed' then 'address suppressed: ' || g.suppressed
            when 'preferences' then case
                when not g.active then 'user not active'
                when g.category = 'marketing' then 'opted out of marketing'
                else 'opted out of product updates' end
            when 'still true' then g.untrue
            else g.gate
        end,
        g.recipient, g.person, g.slot, coalesce(g.person, g.user_id), g.token, g.tracking, g.context, g.superseded, g.expires_at, g.forgotten, g.known, g.suppressed,
        g.active, g.product_updates_opt_in, g.marketing_opt_in, g.held_out, g.untrue, g.failure,
        g.category, g.capped, g.row_slot
    from (
        select f.*,
            case
                when f.paused then 'paused'
                when f.superseded then 'superseded'
                when f.expires_at <= instant then 'expired'
                when not f.enabled then 'type disabled'
                when f.forgotten then 'forgotten'
                when not f.known then 'no such user'
                when f.suppressed in ('bounced', 'manual') and f.category <> 'security'
                    or f.suppressed is not null and f.category in ('product', 'marketing') then 'address suppressed'
                when f.category in ('product', 'marketing') and (
                    not f.active
                    or f.category = 'marketing' and not f.marketing_opt_in
                    or f.category = 'product' and not f.product_updates_opt_in) then 'preferences'
                when f.held_out then 'holdout'
                when f.broken then 'broken'
                when f.failure is not null or not f.answered then 'failure'
                when f.untrue is not null then 'still true'
                else 'send'
            end as gate
        from (
            select o.id, o.email_type, o.user_id, o.slot as row_slot, t.category, t.capped, t.enabled, t.paused_at is not null as paused,
                t.params ? 'steps' and exists (
                    select from public.email_outbox later
                    where later.dedupe_key = any(public.email_step_keys(o.dedupe_key, t.params)) and later.email_type = o.email_type
                    and (later.due_at, later.id) > (o.due_at, o.id)
                    and (later.status in ('sending', 'sent') or least(later.due_at, later.run_at) <= instant)
                ) as superseded,
                o.due_at + t.expires_after as expires_at,
                exists (select from public.email_forgotten x where x.user_id in (o.user_id, who.person)) as forgotten,
                u.id is not null as known,
                coalesce(o.to_email, u.email)::text as recipient,
                who.person, who.slot, s.reason as suppressed,
                coalesce(case when who.person = u.id then u.is_active else other.is_active end, true) as active,
                who.person is null or coalesce(p.product_updates_opt_in, true) as product_updates_opt_in,
                who.person is null or coalesce(p.marketing_opt_in, true) as marketing_opt_in,
                t.holdout_percent > 0 and public.email_held_out(who.slot, t.code, t.holdout_percent) as held_out,
                case when who.person is null and contact.unsubscribe_token is not null then contact.unsubscribe_token else p.unsubscribe_token end as token,
                who.person is not null and coalesce(p.tracking_consent, false) and t.category <> 'security' as tracking,
                c.id is not null as answered, c.untrue, c.failure, c.broken,
                -- What is known now wins; the payload (a fact's keys, or the context of an application's job) fills what is not.
                fresh.figures || o.payload || jsonb_strip_nulls(fresh.figures)
                -- Guarded, so that a type without variants costs nothing.
                || case when o.email_type in (select v.email_type from public.email_subject_variants v where v.enabled)
                    then public.email_subject_choice(o.email_type, o.user_id) else '{}' end as context
            from public.email_outbox o
            join public.email_types t on t.code = o.email_type
            -- Row by row: a plan for a join may read all of a table that was empty when this session made it.
            left join lateral (select x.id, x.name, x.email, x.is_active from public.users x where x.id = o.user_id limit 1) u on true
            -- Whose letter it is: the user's, or a copy for another account, for a contact's account, or for a mere address.
            left join lateral (
                select x.id, x.name, x.is_active
                from public.users x
                where o.to_email is not null and lower(o.to_email) is distinct from lower(u.email) and x.email in (o.to_email, lower(o.to_email))
                limit 1
            ) other on true
            left join lateral (
                select x.user_id, x.unsubscribe_token
                from public.email_project_contacts x
                where o.to_email is not null and x.project_id = o.project_id and lower(x.email) = lower(o.to_email)
                order by x.user_id nulls last
                limit 1
            ) contact on true
            cross join lateral (
                select case
                    when o.to_email is null or lower(o.to_email) = lower(u.email) then o.user_id
                    when other.id is not null then other.id
                    when contact.user_id = o.user_id then o.user_id
                end
            ) account (person)
            cross join lateral (select account.person, coalesce(account.person::text, lower(o.to_email)) as slot) who
            left join lateral (select x.* from public.email_preferences x where x.user_id = coalesce(who.person, o.user_id) limit 1) p on true
            left join lateral (select x.reason from public.email_suppressions x where lower(x.email) = lower(coalesce(o.to_email, u.email)) limit 1) s on true
            left join public.email_current(ids) c on c.id = o.id
            cross join lateral (
                -- A copy for a recipient without an account carries another person's user_id: it must not greet them by that name.
                -- The first word of the name.
                select jsonb_build_object(
                    'first_name', case when who.person is not null then nullif(split_part(btrim(case when who.person = u.id then u.name else other.name end), ' ', 1), '') end,
                    'time_zone', coalesce(p.timezone, 'Europe/Paris'),
                    'cta_path', t.params ->> 'cta_path'
                -- Guarded, so that a letter whose links need nothing more costs nothing more.
                ) || case when t.params ->> 'cta_path' like any (array['%{answer}%', '%\_slug}%']) or contact.unsubscribe_token is not null
                    then public.email_link_keys(t.params ->> 'cta_path', o.dedupe_key, coalesce((c.context ->> 'project_id')::uuid, o.project_id), o.to_email)
                    else '{}' end
                || coalesce(c.context, '{}') as figures
            ) fresh
            where o.id = any(ids)
            offset 0
        ) f
        offset 0
    ) g;
end
$$;
comment on function public.email_gates(bigint[]) is
'What the policy says about each row now: the gate it stops at (send: none), verdict send, wait, retry, suppress or fail, the one reason, the recipient (person: their account, slot: their key in the cap, reader: whose links it carries, token: of these links when there is one yet), the letter''s context, the values the gates saw, and what else the claim needs to know (row_slot: email_outbox.slot, which it holds or waits for).';
revoke all on function public.email_gates(bigint[]) from public;

select public.email_grant(g.privileges, g.role_name)
from (values
    ('email_worker', 'execute on function public.email_gates(bigint[]), public.email_held_out(text, text, integer)'),
    ('email_worker', 'select (user_id) on public.email_forgotten')
) g (role_name, privileges);

select public.email_grant('execute on function public.email_step(text), public.email_step_keys(text, jsonb), public.email_current(bigint[]), public.email_gates(bigint[])', 'email_worker');
