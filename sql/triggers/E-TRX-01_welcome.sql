-- E-TRX-01  Welcome after sign-up                                    transactional, not capped, priority 90
--
-- cause       users: inserted active, or becoming active
-- when        now
-- key         welcome_signup:{user}
-- still true  the user is active
-- figures     of an invitation to this address, if there is one: invitation_accepted, project_name, inviter_name,
--             accept_url
-- params      none
-- reads       users (id, name, email, is_active, created_at), projects (id, name)

-- Cause ----------------------------------------------------------------------------------------------------------------
-- What one sign-up becomes.  SQL without settings of its own, so that it becomes a part of the two statements that use it.
create or replace function public.email_trx_01_rows(id uuid, created_at timestamptz, at timestamptz)
returns table (email_type text, user_id uuid, dedupe_key text, run_at timestamptz, rank integer)
language sql stable
as $$
select t.code, id, 'welcome_signup:' || id, coalesce(at, public.email_now()), t.priority
from public.email_types t
where t.code = 'E-TRX-01' and t.enabled and coalesce(created_at, public.email_missing('created_at')::pg_catalog.timestamptz) >= t.active_since
$$;
comment on function public.email_trx_01_rows(uuid, timestamptz, timestamptz) is 'E-TRX-01: the outbox row of one sign-up; none while the type is disabled, or for one before it was active.';
revoke all on function public.email_trx_01_rows(uuid, timestamptz, timestamptz) from public;

-- fact: {user_id, created_at, at}; at is the moment of the cause, from which the letter expires, also when it is replayed
create or replace function public.email_trx_01_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
    insert into public.email_outbox (email_type, user_id, dedupe_key, run_at, rank, due_at)
    select r.*, r.run_at
    from jsonb_to_recordset(facts) as f (user_id uuid, created_at timestamptz, at timestamptz)
    cross join lateral public.email_trx_01_rows(f.user_id, f.created_at, f.at) r
    where not exists (select from public.email_journaled(r.dedupe_key))
    on conflict (dedupe_key) do nothing;
end
$$;
comment on function public.email_trx_01_enqueue(jsonb) is 'E-TRX-01: enqueues the welcome of users. facts: [{user_id, created_at, at}].';
revoke all on function public.email_trx_01_enqueue(jsonb) from public;

create or replace function public.email_trx_01_trigger() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
set enable_seqscan = off
set jit = off
as $$
declare
    facts jsonb;
begin
    if tg_op = 'INSERT' then
        insert into public.email_outbox (email_type, user_id, dedupe_key, run_at, rank, due_at)
        select r.*, r.run_at
        from new_rows n
        cross join lateral public.email_trx_01_rows(n.id, n.created_at, public.email_now()) r
        where n.is_active
        on conflict (dedupe_key) do nothing;
    -- Nearly every update is of users who were active before it.
    elsif exists (select from old_rows o where o.is_active is not true) then
        -- Grouped rather than joined: a plan made for one row must also do for a bulk update.
        facts := (
            select jsonb_agg(jsonb_build_object('user_id', c.id, 'created_at', c.created_at, 'at', public.email_now()))
            from (
                select v.id, max(v.created_at) as created_at
                from (
                    select n.id, n.created_at, n.is_active as active, false as was_active from new_rows n
                    union all
                    select o.id, o.created_at, false, o.is_active from old_rows o
                ) v
                group by v.id
                having bool_or(v.active) and not coalesce(bool_or(v.was_active), false)
            ) c
        );
    end if;
    if facts is not null then
        perform public.email_trx_01_enqueue(facts);
    end if;
    return null;
exception when others then
    begin
        perform public.email_guard('users', 'E-TRX-01', coalesce(facts, (
            -- A sign-up is missed once, a user may be updated again and again: without the moment that is one note.
            select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                'user_id', to_jsonb(n) -> 'id', 'created_at', to_jsonb(n) -> 'created_at', 'at', case when tg_op = 'INSERT' then public.email_now() end
            )))
            from new_rows n
            where coalesce(to_jsonb(n) ->> 'is_active', 'true') = 'true'
        )), sqlstate, sqlerrm);
    exception when others then
        raise warning 'seqpulse-mailer: E-TRX-01 missed a fact of users: %', sqlerrm;
    end;
    return null;
end
$$;
comment on function public.email_trx_01_trigger() is 'E-TRX-01: after users are inserted or updated. Never fails the application''s statement.';
revoke all on function public.email_trx_01_trigger() from public;

create or replace trigger email_trx_01_insert after insert on public.users
referencing new table as new_rows
for each statement execute function public.email_trx_01_trigger();

create or replace trigger email_trx_01_update after update on public.users
referencing old table as old_rows new table as new_rows
for each statement execute function public.email_trx_01_trigger();

-- The same facts, from what the tables still know: for a dry run.
create or replace function public.email_trx_01_facts(since timestamptz, until timestamptz) returns table (happened_at timestamptz, fact jsonb)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select u.created_at, jsonb_build_object('user_id', u.id, 'created_at', u.created_at, 'at', u.created_at)
    from public.users u
    where u.created_at >= since and u.created_at <= until and coalesce(u.is_active, true);
end
$$;
comment on function public.email_trx_01_facts(timestamptz, timestamptz) is 'E-TRX-01: the active sign-ups of a time, as its facts.';
revoke all on function public.email_trx_01_facts(timestamptz, timestamptz) from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_trx_01_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select o.id, case when not coalesce(u.is_active, true) then 'user not active' end,
        case when i.accepted is null then '{}' else jsonb_strip_nulls(jsonb_build_object(
            'invitation_accepted', i.accepted,
            'project_name', p.name,
            'inviter_name', coalesce(nullif(btrim(i.payload ->> 'inviter_name'), ''), inviter.name),
            'accept_url', case when not i.accepted then i.payload ->> 'accept_url' end
        )) end
    from public.email_outbox o
    join public.users u on u.id = o.user_id
    left join lateral public.email_invitation(u.email, public.email_as_of()) i on true
    left join public.projects p on p.id = i.project_id
    left join public.users inviter on inviter.id = i.inviter
    where o.id = any(ids);
end
$$;
comment on function public.email_trx_01_current(bigint[]) is 'E-TRX-01: true while the user is active; with the invitation that brought them here, if there is one.';
revoke all on function public.email_trx_01_current(bigint[]) from public;

select public.email_grant('execute on function public.email_trx_01_current(bigint[])', 'email_worker');
select public.email_grant('select (id, name, email, is_active, created_at) on public.users', 'email_worker');
select public.email_grant('select (id, name) on public.projects', 'email_worker');
