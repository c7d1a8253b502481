-- E-ACT-02  New user's project without a deployment                  product, capped, priority 60
--
-- cause       projects: inserted by a user who signed up less than params.new_for (14 days) before; to the owner
-- when        params.delay (24 hours) after projects.created_at
-- key         no_deployment_after_project:{project}
-- still true  the project exists, no project of its owner has a deployment, and no such letter went to the owner within
--             params.quiet (14 days)
-- figures     project_name, project_id, env (the first of projects.envs), tech_stack; endpoint_active, endpoint_failed: whether the
--             metrics endpoint was tested and activated, which the application refuses every deployment without
-- params      delay, new_for, quiet
-- reads       users (id, created_at), projects (id, owner_id, created_at, name, envs), deployments (project_id, started_at);
--             where they are there, of projects: tech_stack, metrics_endpoint_active, endpoint_last_test_error_code

-- Cause ----------------------------------------------------------------------------------------------------------------
-- What one new project becomes.  SQL without settings of its own, so that it becomes a part of the two statements that use it.
-- Whether a project has a deployment is asked when the letter is claimed: here it would cost the application's statement a read.
create or replace function public.email_act_02_rows(id uuid, owner uuid, created_at timestamptz)
returns table (email_type text, user_id uuid, project_id uuid, dedupe_key text, run_at timestamptz, rank integer)
language sql stable
as $$
select t.code, coalesce(owner, public.email_missing('user_id')::pg_catalog.uuid), id, 'no_deployment_after_project:' || id,
    coalesce(created_at + (t.params ->> 'delay')::interval, public.email_now()), t.priority
from public.email_types t
where t.code = 'E-ACT-02' and t.enabled and coalesce(created_at, public.email_missing('created_at')::pg_catalog.timestamptz) >= t.active_since
and not exists (
    select from public.users u
    where u.id = owner and u.created_at <= email_act_02_rows.created_at - coalesce((t.params ->> 'new_for')::interval, '14 days')
)
$$;
comment on function public.email_act_02_rows(uuid, uuid, timestamptz) is 'E-ACT-02: the outbox row of one new project of a new user; none while the type is disabled, or for one before it was active.';
revoke all on function public.email_act_02_rows(uuid, uuid, timestamptz) from public;

-- fact: {project_id, user_id, created_at}
create or replace function public.email_act_02_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
    insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, run_at, rank, due_at)
    select r.*, r.run_at
    from jsonb_to_recordset(facts) as f (project_id uuid, user_id uuid, created_at timestamptz)
    cross join lateral public.email_act_02_rows(f.project_id, f.user_id, f.created_at) r
    where not exists (select from public.email_journaled(r.dedupe_key))
    on conflict (dedupe_key) do nothing;
end
$$;
comment on function public.email_act_02_enqueue(jsonb) is 'E-ACT-02: enqueues what new projects cause. facts: [{project_id, user_id, created_at}].';
revoke all on function public.email_act_02_enqueue(jsonb) from public;

create or replace function public.email_act_02_trigger() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
set enable_seqscan = off
set jit = off
as $$
begin
    insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, run_at, rank, due_at)
    select r.*, r.run_at
    from new_rows n
    cross join lateral public.email_act_02_rows(n.id, n.owner_id, n.created_at) r
    on conflict (dedupe_key) do nothing;
    return null;
exception when others then
    begin
        perform public.email_guard('projects', 'E-ACT-02', (
            select jsonb_agg(jsonb_build_object(
                'project_id', to_jsonb(n) -> 'id', 'user_id', to_jsonb(n) -> 'owner_id', 'created_at', to_jsonb(n) -> 'created_at'
            ))
            from new_rows n
        ), sqlstate, sqlerrm);
    exception when others then
        raise warning 'seqpulse-mailer: E-ACT-02 missed a fact of projects: %', sqlerrm;
    end;
    return null;
end
$$;
comment on function public.email_act_02_trigger() is 'E-ACT-02: after projects are inserted. Never fails the application''s statement.';
revoke all on function public.email_act_02_trigger() from public;

create or replace trigger email_act_02_insert after insert on public.projects
referencing new table as new_rows
for each statement execute function public.email_act_02_trigger();

-- The same facts, from what the tables still know: for a dry run.
create or replace function public.email_act_02_facts(since timestamptz, until timestamptz) returns table (happened_at timestamptz, fact jsonb)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select p.created_at, jsonb_build_object('project_id', p.id, 'user_id', p.owner_id, 'created_at', p.created_at)
    from public.projects p
    where p.created_at >= since and p.created_at <= until;
end
$$;
comment on function public.email_act_02_facts(timestamptz, timestamptz) is 'E-ACT-02: the new projects of a time, as its facts.';
revoke all on function public.email_act_02_facts(timestamptz, timestamptz) from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
-- Columns that not every version of the application has: the row as JSON names those it has, and no column is missed.  SECURITY
-- DEFINER, because of a row that holds keys a sidecar may read these few only.
create or replace function public.email_project_setup(projects uuid[]) returns table (project_id uuid, setup jsonb)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select r.id, jsonb_strip_nulls(jsonb_build_object(
        'tech_stack', r.whole ->> 'tech_stack',
        'endpoint_active', case when r.whole ? 'metrics_endpoint_active' then coalesce(btrim(r.whole ->> 'metrics_endpoint_active'), '') <> '' end,
        'endpoint_failed', case when r.whole ? 'endpoint_last_test_error_code' then r.whole ->> 'endpoint_last_test_error_code' is not null end
    ))
    from (select p.id, to_jsonb(p) as whole from public.projects p where p.id = any(projects)) r;
end
$$;
comment on function public.email_project_setup(uuid[]) is
'How these projects are set up, as far as their table tells: tech_stack; endpoint_active, whether a metrics endpoint was tested and activated; endpoint_failed, whether its last test failed.';
revoke all on function public.email_project_setup(uuid[]) from public;

create or replace function public.email_act_02_current(ids bigint[])
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
            when p.id is null then 'no such project'
            when exists (select from public.deployments d where d.project_id = p.id and d.started_at <= as_of) then 'project has a deployment'
            when exists (
                select from public.projects own
                join public.deployments d on d.project_id = own.id
                where own.owner_id = p.owner_id and d.started_at <= as_of
            ) then 'another project of the owner has a deployment'
            when l.went_at is not null then format('such a letter went out on %s, and params.quiet is %s', to_char(l.went_at at time zone 'UTC', 'YYYY-MM-DD'), k.quiet)
        end,
        jsonb_strip_nulls(jsonb_build_object('project_name', p.name, 'project_id', p.id, 'env', p.envs[1])) || coalesce(s.setup, '{}')
    from public.email_outbox o
    cross join (
        select coalesce((t.params ->> 'quiet')::interval, '14 days') as quiet from public.email_types t where t.code = 'E-ACT-02'
    ) k
    left join public.projects p
        on p.id = coalesce(o.project_id, (o.payload ->> 'project_id')::uuid, public.email_key_id(o.dedupe_key, 2))
    left join lateral public.email_project_setup(array[p.id]) s on true
    cross join lateral public.email_last_letter(o.user_id, o.email_type, o.dedupe_key, k.quiet) l
    where o.id = any(ids);
end
$$;
comment on function public.email_act_02_current(bigint[]) is
'E-ACT-02: true while no project of the owner has a deployment and no such letter went out lately; project_name, env, tech_stack, endpoint_active, endpoint_failed.';
revoke all on function public.email_act_02_current(bigint[]) from public;

select public.email_grant('execute on function public.email_act_02_current(bigint[]), public.email_project_setup(uuid[])', 'email_worker');
select public.email_grant('select (id, owner_id, name, envs) on public.projects', 'email_worker');
select public.email_grant('select (project_id, started_at) on public.deployments', 'email_worker');
