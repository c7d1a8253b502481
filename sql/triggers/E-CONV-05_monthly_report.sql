-- E-CONV-05  Monthly value report of free projects                         marketing, capped, priority 20
--
-- cause       scan, hourly: a free project of the user started a deployment in the UTC month reported
-- fact's time the moment the letter is due: a month that was due before active_since is not reported
-- when        the 1st at params.local_time (09:00) in the user's time zone, and not before the UTC month is over (east of
--             UTC+9 that is 00:00 UTC); put into the queue up to params.ahead before. After an outage the scan still
--             catches up with what would not have expired.
-- key         monthly_value_report:{user}:{reported month}: one letter, however many projects
-- still true  one of the projects that deployed in that month is still free
-- figures     of those that are free: deployments, analysed, warnings, rollbacks, unmeasured, failed (pipelines); projects, the same by
--             project; latency_delta against the month before; previous_deployments, previous_warnings, previous_rollbacks
--             (null when none of them existed in the month before); project_name and project_id when it is one
-- params      local_time, ahead, blast_limit (null: everybody's report is due at the same moment)
-- reads       users (id, is_active), projects (id, name, owner_id, plan, created_at),
--             deployments (id, project_id, started_at, pipeline_result), deployment_verdicts (deployment_id, verdict, summary),
--             metric_samples (deployment_id, phase, latency_p95)

-- Cause ------------------------------------------------------------------------------------------------------------------
create or replace function public.email_conv_05_audience()
returns table (user_id uuid, project_id uuid, dedupe_key text, run_at timestamptz, payload jsonb)
language plpgsql
set timezone = 'UTC'
set jit = off
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    checked_at timestamptz := public.email_now();
    kind record;
begin
    select t.active_since, t.expires_after, coalesce(t.params ->> 'local_time', '09:00')::time as local_time,
        coalesce(t.params ->> 'ahead', '3 hours')::interval as ahead
    into kind
    from public.email_types t where t.code = 'E-CONV-05';
    return query
    with due as materialized (
        select z.name as zone_name, m.over_at, m.over_at - interval '1 month' as month_start, at.run_at
        from public.email_zones() z
        cross join (
            select date_trunc('month', checked_at) union all select date_trunc('month', checked_at) + interval '1 month'
        ) m (over_at)
        cross join lateral (
            select greatest((m.over_at::date + kind.local_time) at time zone z.zone, m.over_at) as run_at
        ) at
        where at.run_at > checked_at - kind.expires_after and at.run_at <= checked_at + kind.ahead and at.run_at >= kind.active_since
    )
    select u.id, null::uuid, format('monthly_value_report:%s:%s', u.id, to_char(due.month_start, 'YYYY-MM')), due.run_at,
        jsonb_build_object('month', to_char(due.month_start, 'YYYY-MM'))
    from due
    join public.users u on coalesce(u.is_active, true)
    left join public.email_preferences f on f.user_id = u.id
    where due.zone_name = coalesce(f.timezone, 'Europe/Paris')
    -- "limit" keeps it to one step into the index per project: a join would read all deployments there ever were.
    and exists (
        select from public.projects p
        cross join lateral (
            select from public.deployments d
            where d.project_id = p.id and d.started_at >= due.month_start and d.started_at < due.over_at
            limit 1
        ) any_of_month
        where p.owner_id = u.id and p.plan = 'free'
    );
end
$$;
comment on function public.email_conv_05_audience() is
'E-CONV-05: the users one of whose free projects deployed last UTC month and whose 1st, 09:00, is at hand or was missed.';
revoke all on function public.email_conv_05_audience() from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_conv_05_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set timezone = 'UTC'
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select o.id,
        case
            when own.deployed = 0 then 'no project of theirs deployed in ' || to_char(r.month, 'YYYY-MM')
            when own.free is null then case when own.deployed = 1 then 'project is not free any more' else 'no project is free any more' end
        end,
        case when own.free is null then '{}' else jsonb_build_object(
            'month', to_char(r.month, 'YYYY-MM'),
            'deployments', month.deployments,
            'analysed', month.analysed,
            'warnings', month.warnings,
            'rollbacks', month.rollbacks,
            'unmeasured', month.unmeasured,
            'failed', month.failed,
            'latency_delta', public.email_latency_trend(own.free, r.month - interval '1 month', r.month, r.month + interval '1 month'),
            'projects', report.projects,
            'project_name', case when cardinality(own.free) = 1 then own.name end,
            'project_id', case when cardinality(own.free) = 1 then own.free[1] end,
            'previous_deployments', case when own.older then before.deployments end,
            'previous_warnings', case when own.older then before.warnings end,
            'previous_rollbacks', case when own.older then before.rollbacks end
        ) end
    from public.email_outbox o
    cross join lateral (
        select coalesce(public.email_month(o.payload ->> 'month'), public.email_month(split_part(o.dedupe_key, ':', 3)),
            date_trunc('month', o.due_at)::date - interval '1 month')::timestamptz as month
    ) r
    cross join lateral (
        select count(*) as deployed, array_agg(p.id) filter (where p.plan = 'free') as free,
            min(p.name) filter (where p.plan = 'free') as name, bool_or(p.created_at < r.month) filter (where p.plan = 'free') as older
        from public.projects p
        where p.owner_id = o.user_id and exists (
            select from public.deployments d
            where d.project_id = p.id and d.started_at >= r.month and d.started_at < r.month + interval '1 month'
        )
    ) own
    cross join lateral public.email_value(own.free, r.month, r.month + interval '1 month') month
    cross join lateral public.email_value(own.free, r.month - interval '1 month', r.month) before
    cross join lateral public.email_report(own.free, r.month, r.month + interval '1 month', 'UTC') report
    where o.id = any(ids);
end
$$;
comment on function public.email_conv_05_current(bigint[]) is 'E-CONV-05: true while one of the projects that deployed in the month is free; with the figures of those, of the month reported and the one before.';
revoke all on function public.email_conv_05_current(bigint[]) from public;

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_conv_05_audience(), public.email_conv_05_current(bigint[])'),
    ('select (id, is_active) on public.users'),
    ('select (id, name, owner_id, plan, created_at) on public.projects'),
    ('select (id, project_id, started_at, pipeline_result) on public.deployments'),
    ('select (deployment_id, verdict, summary) on public.deployment_verdicts'),
    ('select (deployment_id, phase, latency_p95) on public.metric_samples')
) g (privileges);
