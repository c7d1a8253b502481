-- E-ACT-01  Signed up, no project yet                                product, capped, priority 60
--
-- cause       users: inserted
-- when        params.delay (2 hours) after users.created_at
-- key         no_project_after_signup:{user}
-- still true  the user is active, owns no project, and nobody invited them to one: neither waits nor was accepted an invitation
-- figures     none of its own
-- params      delay
-- reads       users (id, email, is_active, created_at), projects (owner_id, created_at)

-- Cause ----------------------------------------------------------------------------------------------------------------
-- What one sign-up becomes.  SQL without settings of its own, so that it becomes a part of the two statements that use it.
create or replace function public.email_act_01_rows(id uuid, created_at timestamptz)
returns table (email_type text, user_id uuid, dedupe_key text, run_at timestamptz, rank integer)
language sql stable
as $$
select t.code, id, 'no_project_after_signup:' || id, coalesce(created_at + (t.params ->> 'delay')::interval, public.email_now()),
    t.priority
from public.email_types t
where t.code = 'E-ACT-01' and t.enabled and coalesce(created_at, public.email_missing('created_at')::pg_catalog.timestamptz) >= t.active_since
$$;
comment on function public.email_act_01_rows(uuid, timestamptz) is 'E-ACT-01: the outbox row of one sign-up; none while the type is disabled, or for one before it was active.';
revoke all on function public.email_act_01_rows(uuid, timestamptz) from public;

-- fact: {user_id, created_at}
create or replace function public.email_act_01_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
    insert into public.email_outbox (email_type, user_id, dedupe_key, run_at, rank, due_at)
    select r.*, r.run_at
    from jsonb_to_recordset(facts) as f (user_id uuid, created_at timestamptz)
    cross join lateral public.email_act_01_rows(f.user_id, f.created_at) r
    where not exists (select from public.email_journaled(r.dedupe_key))
    on conflict (dedupe_key) do nothing;
end
$$;
comment on function public.email_act_01_enqueue(jsonb) is 'E-ACT-01: enqueues what sign-ups cause. facts: [{user_id, created_at}].';
revoke all on function public.email_act_01_enqueue(jsonb) from public;

create or replace function public.email_act_01_trigger() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
set enable_seqscan = off
set jit = off
as $$
begin
    insert into public.email_outbox (email_type, user_id, dedupe_key, run_at, rank, due_at)
    select r.*, r.run_at
    from new_rows n
    cross join lateral public.email_act_01_rows(n.id, n.created_at) r
    on conflict (dedupe_key) do nothing;
    return null;
exception when others then
    begin
        perform public.email_guard('users', 'E-ACT-01', (
            select jsonb_agg(jsonb_build_object('user_id', to_jsonb(n) -> 'id', 'created_at', to_jsonb(n) -> 'created_at')) from new_rows n
        ), sqlstate, sqlerrm);
    exception when others then
        raise warning 'seqpulse-mailer: E-ACT-01 missed a fact of users: %', sqlerrm;
    end;
    return null;
end
$$;
comment on function public.email_act_01_trigger() is 'E-ACT-01: after users are inserted. Never fails the application''s statement.';
revoke all on function public.email_act_01_trigger() from public;

create or replace trigger email_act_01_insert after insert on public.users
referencing new table as new_rows
for each statement execute function public.email_act_01_trigger();

-- The same facts, from what the tables still know: for a dry run.
create or replace function public.email_act_01_facts(since timestamptz, until timestamptz) returns table (happened_at timestamptz, fact jsonb)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select u.created_at, jsonb_build_object('user_id', u.id, 'created_at', u.created_at)
    from public.users u
    where u.created_at >= since and u.created_at <= until;
end
$$;
comment on function public.email_act_01_facts(timestamptz, timestamptz) is 'E-ACT-01: the sign-ups of a time, as its facts.';
revoke all on function public.email_act_01_facts(timestamptz, timestamptz) from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_act_01_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    as_of constant timestamptz := public.email_as_of();
begin
    return query
    select
        o.id,
        case
            when not coalesce(u.is_active, true) then 'user not active'
            when exists (select from public.projects p where p.owner_id = o.user_id and p.created_at <= as_of) then 'owns a project'
            when i.accepted then 'joined a project by invitation'
            when i.invitation_id is not null then 'invited to a project'
        end,
        '{}'::jsonb
    from public.email_outbox o
    left join public.users u on u.id = o.user_id
    left join lateral public.email_invitation(u.email, as_of) i on true
    where o.id = any(ids);
end
$$;
comment on function public.email_act_01_current(bigint[]) is 'E-ACT-01: true while the user is active, owns no project and has no invitation; no figures.';
revoke all on function public.email_act_01_current(bigint[]) from public;

select public.email_grant('execute on function public.email_act_01_current(bigint[])', 'email_worker');
select public.email_grant('select (id, email, is_active) on public.users', 'email_worker');
select public.email_grant('select (owner_id, created_at) on public.projects', 'email_worker');
