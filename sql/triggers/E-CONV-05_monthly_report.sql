-- E-CONV-05  Monthly value report of a free project                        marketing, capped, priority 20
--
-- cause       scan, hourly: the project is free and started a deployment in the UTC month reported
-- fact's time the moment the letter is due: a month that was due before active_since is not reported
-- when        the 1st at params.local_time (09:00) in the owner's time zone, and not before the UTC month is over (east of
--             UTC+9 that is 00:00 UTC); put into the queue up to params.ahead before. After an outage the scan still
--             catches up with what would not have expired.
-- key         monthly_value_report:{project}:{reported month}
-- still true  the project is still free
-- figures     deployments, warnings, rollbacks, latency_delta, hidden_anomalies; previous_deployments, previous_warnings,
--             previous_rollbacks (null when the project did not exist in the month before)
-- params      local_time, ahead, blast_limit (null: everybody's report is due at the same moment)
-- reads       users (id, is_active), projects (id, name, owner_id, plan, created_at),
--             deployments (id, project_id, started_at), deployment_verdicts (deployment_id, verdict),
--             sdh_hints (deployment_id, severity), metric_samples (deployment_id, phase, latency_p95)

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
    select p.owner_id, p.id, format('monthly_value_report:%s:%s', p.id, to_char(due.month_start, 'YYYY-MM')), due.run_at,
        jsonb_build_object('month', to_char(due.month_start, 'YYYY-MM'))
    from due
    join public.users u on coalesce(u.is_active, true)
    left join public.email_preferences f on f.user_id = u.id
    join public.projects p on p.owner_id = u.id and p.plan = 'free'
    where due.zone_name = coalesce(f.timezone, 'Europe/Paris')
    and exists (
        select from public.deployments d
        where d.project_id = p.id and d.started_at >= due.month_start and d.started_at < due.over_at
    );
end
$$;
comment on function public.email_conv_05_audience() is
'E-CONV-05: the free projects that deployed last UTC month and whose owner''s 1st, 09:00, is at hand or was missed.';
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
            when r.project_id is null then null
            when p.id is null then 'no such project'
            when p.plan <> 'free' then 'project is not free any more'
        end,
        case when p.id is null then '{}' else jsonb_build_object(
            'project_name', p.name,
            'project_id', p.id,
            'month', to_char(r.month, 'YYYY-MM'),
            'deployments', month.deployments,
            'warnings', month.warnings,
            'rollbacks', month.rollbacks,
            'hidden_anomalies', month.hidden_anomalies,
            'latency_delta', public.email_latency_delta(array[p.id], r.month, r.month + interval '1 month'),
            'previous_deployments', case when p.created_at < r.month then before.deployments end,
            'previous_warnings', case when p.created_at < r.month then before.warnings end,
            'previous_rollbacks', case when p.created_at < r.month then before.rollbacks end
        ) end
    from public.email_outbox o
    cross join lateral (
        select
            coalesce(o.project_id, public.email_key_id(o.dedupe_key, 2)) as project_id,
            coalesce(public.email_month(o.payload ->> 'month'), public.email_month(split_part(o.dedupe_key, ':', 3)),
                date_trunc('month', o.due_at)::date - interval '1 month')::timestamptz as month
    ) r
    left join public.projects p on p.id = r.project_id
    cross join lateral public.email_value(array[p.id], r.month, r.month + interval '1 month') month
    cross join lateral public.email_value(array[p.id], r.month - interval '1 month', r.month) before
    where o.id = any(ids);
end
$$;
comment on function public.email_conv_05_current(bigint[]) is 'E-CONV-05: true while the project is free; with the figures of the month reported and the one before.';
revoke all on function public.email_conv_05_current(bigint[]) from public;

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_conv_05_audience(), public.email_conv_05_current(bigint[])'),
    ('select (id, is_active) on public.users'),
    ('select (id, name, owner_id, plan, created_at) on public.projects'),
    ('select (id, project_id, started_at) on public.deployments'),
    ('select (deployment_id, verdict) on public.deployment_verdicts'),
    ('select (deployment_id, severity) on public.sdh_hints'),
    ('select (deployment_id, phase, latency_p95) on public.metric_samples')
) g (privileges);
