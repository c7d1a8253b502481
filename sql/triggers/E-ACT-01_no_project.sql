-- E-ACT-01  Signed up, no project yet                                product, capped, priority 60
--
-- cause       users: inserted
-- when        params.delay (2 hours) after users.created_at
-- key         no_project_after_signup:{user}
-- still true  the user is active and owns no project
-- figures     none of its own
-- params      delay
-- reads       users (id, is_active, created_at), projects (owner_id)

-- Cause ----------------------------------------------------------------------------------------------------------------
-- fact: {user_id, created_at}
create or replace function public.email_act_01_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.email_outbox (email_type, user_id, dedupe_key, run_at)
    select
        t.code, (f ->> 'user_id')::uuid, 'no_project_after_signup:' || (f ->> 'user_id'),
        (f ->> 'created_at')::timestamptz + (t.params ->> 'delay')::interval
    from jsonb_array_elements(facts) as f
    join public.email_types t on t.code = 'E-ACT-01' and t.enabled
    where coalesce(f ->> 'created_at', public.email_missing('created_at'))::timestamptz >= t.active_since
    on conflict (dedupe_key) do nothing;
end
$$;
comment on function public.email_act_01_enqueue(jsonb) is 'E-ACT-01: enqueues what sign-ups cause. facts: [{user_id, created_at}].';
revoke all on function public.email_act_01_enqueue(jsonb) from public;

create or replace function public.email_act_01_trigger() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
    facts jsonb;
begin
    facts := (select jsonb_agg(jsonb_build_object('user_id', n.id, 'created_at', n.created_at)) from new_rows n);
    if facts is not null then
        perform public.email_act_01_enqueue(facts);
    end if;
    return null;
exception when others then
    begin
        perform public.email_guard('users', 'E-ACT-01', coalesce(facts, (
            select jsonb_agg(jsonb_build_object('user_id', to_jsonb(n) -> 'id', 'created_at', to_jsonb(n) -> 'created_at')) from new_rows n
        )), sqlstate, sqlerrm);
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
        end,
        '{}'::jsonb
    from public.email_outbox o
    left join public.users u on u.id = o.user_id
    where o.id = any(ids);
end
$$;
comment on function public.email_act_01_current(bigint[]) is 'E-ACT-01: true while the user is active and owns no project; no figures.';
revoke all on function public.email_act_01_current(bigint[]) from public;

select public.email_grant('execute on function public.email_act_01_current(bigint[])', 'email_worker');
select public.email_grant('select (id, is_active) on public.users', 'email_worker');
select public.email_grant('select (owner_id) on public.projects', 'email_worker');
