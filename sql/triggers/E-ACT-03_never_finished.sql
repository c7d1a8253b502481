-- E-ACT-03  Deployment started, never finished                       product, capped, priority 60
--
-- cause       deployments: inserted running, or becoming running, in a project that never finished one; to the project's owner
-- when        params.delay (48 hours) after deployments.started_at
-- key         deployment_never_finished:{project}
-- still true  the project has a running deployment and never finished one
-- figures     project_name, project_id; the deployment that caused it, or else the latest running one: deployment_id,
--             deployment_number, env, started_at; unfinished (how many are running)
-- params      delay
-- reads       deployments (id, project_id, state, started_at, finished_at, deployment_number, env), projects (id, owner_id, name)

-- Cause ----------------------------------------------------------------------------------------------------------------
-- Nearly every deployment is of a project that has finished one: the letter could never be true.
create or replace function public.email_act_03_finished(project uuid) returns boolean
language plpgsql stable
set enable_bitmapscan = off
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
    as_of constant timestamptz := public.email_as_of();
begin
    -- Oldest first, through the index: the first one or two rows tell.
    return exists (
        select from (
            select d.state, d.finished_at from public.deployments d where d.project_id = project order by d.started_at offset 0
        ) d
        where (d.state in ('finished', 'analyzed') or d.finished_at is not null) and coalesce(d.finished_at, '-infinity') <= as_of
    );
end
$$;
comment on function public.email_act_03_finished(uuid) is 'E-ACT-03: whether the project ever finished a deployment.';
revoke all on function public.email_act_03_finished(uuid) from public;

-- What one running deployment becomes.  SQL without settings of its own, so that it becomes a part of the two statements that
-- use it.
create or replace function public.email_act_03_rows(deployment uuid, project uuid, started_at timestamptz)
returns table (email_type text, user_id uuid, project_id uuid, dedupe_key text, payload jsonb, run_at timestamptz, rank integer)
language sql stable
as $$
select
    t.code, coalesce((select p.owner_id from public.projects p where p.id = project), public.email_missing('owner_id')::pg_catalog.uuid),
    project, 'deployment_never_finished:' || project, jsonb_build_object('deployment_id', deployment),
    coalesce(started_at + (t.params ->> 'delay')::interval, public.email_now()), t.priority
from public.email_types t
where t.code = 'E-ACT-03' and t.enabled and coalesce(started_at, public.email_missing('started_at')::pg_catalog.timestamptz) >= t.active_since
and not public.email_act_03_finished(coalesce(project, public.email_missing('project_id')::pg_catalog.uuid))
$$;
comment on function public.email_act_03_rows(uuid, uuid, timestamptz) is
'E-ACT-03: the outbox row of one running deployment; none when its project ever finished one.';
revoke all on function public.email_act_03_rows(uuid, uuid, timestamptz) from public;

-- fact: {deployment_id, project_id, started_at}
create or replace function public.email_act_03_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
    insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, payload, run_at, rank, due_at)
    select r.*, r.run_at
    from jsonb_to_recordset(facts) as f (deployment_id uuid, project_id uuid, started_at timestamptz)
    cross join lateral public.email_act_03_rows(f.deployment_id, f.project_id, f.started_at) r
    where not exists (select from public.email_journaled(r.dedupe_key))
    on conflict (dedupe_key) do nothing;
end
$$;
comment on function public.email_act_03_enqueue(jsonb) is 'E-ACT-03: enqueues what running deployments cause. facts: [{deployment_id, project_id, started_at}].';
revoke all on function public.email_act_03_enqueue(jsonb) from public;

create or replace function public.email_act_03_trigger() returns trigger
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
        -- Nearly every project has finished one.
        if exists (select from new_rows n where n.state = 'running' and not public.email_act_03_finished(n.project_id)) then
            insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, payload, run_at, rank, due_at)
            select r.*, r.run_at
            from new_rows n
            cross join lateral public.email_act_03_rows(n.id, n.project_id, n.started_at) r
            where n.state = 'running' and not exists (select from public.email_journaled(r.dedupe_key))
            on conflict (dedupe_key) do nothing;
        end if;
    -- Most updates are of deployments that do not run, or no longer.
    elsif exists (select from new_rows n where n.state = 'running') then
        -- Grouped rather than joined: a plan made for one row must also do for a bulk update.
        facts := (
            select jsonb_agg(jsonb_build_object('deployment_id', r.id, 'project_id', r.project_id, 'started_at', r.started_at))
            from new_rows r
            where r.id in (
                select v.id
                from (
                    select n.id, n.state = 'running' as running, false as was_running from new_rows n
                    union all
                    select o.id, false, o.state = 'running' from old_rows o
                ) v
                group by v.id
                having bool_or(v.running) and not bool_or(v.was_running)
            ) and not public.email_act_03_finished(r.project_id)
        );
    end if;
    if facts is not null then
        perform public.email_act_03_enqueue(facts);
    end if;
    return null;
exception when others then
    begin
        perform public.email_guard('deployments', 'E-ACT-03', coalesce(facts, (
            select jsonb_agg(jsonb_build_object(
                'deployment_id', to_jsonb(n) -> 'id', 'project_id', to_jsonb(n) -> 'project_id', 'started_at', to_jsonb(n) -> 'started_at'
            ))
            from new_rows n
            where coalesce(to_jsonb(n) ->> 'state', 'running') = 'running'
        )), sqlstate, sqlerrm);
    exception when others then
        raise warning 'seqpulse-mailer: E-ACT-03 missed a fact of deployments: %', sqlerrm;
    end;
    return null;
end
$$;
comment on function public.email_act_03_trigger() is 'E-ACT-03: after deployments are inserted or updated. Never fails the application''s statement.';
revoke all on function public.email_act_03_trigger() from public;

create or replace trigger email_act_03_insert after insert on public.deployments
referencing new table as new_rows
for each statement execute function public.email_act_03_trigger();

create or replace trigger email_act_03_update after update on public.deployments
referencing old table as old_rows new table as new_rows
for each statement execute function public.email_act_03_trigger();

-- The same facts, from what the tables still know: for a dry run.
create or replace function public.email_act_03_facts(since timestamptz, until timestamptz) returns table (happened_at timestamptz, fact jsonb)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select d.started_at, jsonb_build_object('deployment_id', d.id, 'project_id', d.project_id, 'started_at', d.started_at)
    from public.deployments d
    where d.started_at >= since and d.started_at <= until and d.state <> 'pending';
end
$$;
comment on function public.email_act_03_facts(timestamptz, timestamptz) is 'E-ACT-03: the deployments that started of a time, as its facts.';
revoke all on function public.email_act_03_facts(timestamptz, timestamptz) from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_act_03_current(ids bigint[])
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
            when public.email_act_03_finished(p.id) then 'project finished a deployment'
            when d.unfinished is null then 'no deployment is running'
        end,
        jsonb_strip_nulls(jsonb_build_object(
            'project_name', p.name,
            'project_id', p.id,
            'deployment_id', d.id,
            'deployment_number', d.deployment_number,
            'env', d.env,
            'started_at', d.started_at,
            'unfinished', d.unfinished
        ))
    from public.email_outbox o
    left join public.projects p
        on p.id = coalesce(o.project_id, (o.payload ->> 'project_id')::uuid, public.email_key_id(o.dedupe_key, 2))
    left join lateral (
        select r.id, r.deployment_number, r.env, r.started_at, count(*) over () as unfinished
        from public.deployments r
        where r.project_id = p.id and (r.state = 'running' or r.finished_at > as_of) and r.started_at <= as_of
        order by r.id = (o.payload ->> 'deployment_id')::uuid desc nulls last, r.started_at desc
        limit 1
    ) d on true
    where o.id = any(ids);
end
$$;
comment on function public.email_act_03_current(bigint[]) is 'E-ACT-03: true while the project has a running deployment and never finished one; the deployment and how many are running.';
revoke all on function public.email_act_03_current(bigint[]) from public;

select public.email_grant('execute on function public.email_act_03_finished(uuid), public.email_act_03_current(bigint[])', 'email_worker');
select public.email_grant('select (id, name) on public.projects', 'email_worker');
select public.email_grant('select (id, project_id, deployment_number, env, state, started_at, finished_at) on public.deployments', 'email_worker');
