-- E-RET-01  Weekly usage report                                            product, capped, priority 30
--
-- cause       scan, hourly: the user deployed or viewed a verdict (email_usage) in the local week that ended this Monday at 00:00
-- fact's time the moment the letter is due: a Monday before active_since is not reported
-- when        Monday at params.local_time (08:00) in the user's time zone; put into the queue up to params.ahead before.
--             After an outage the scan still catches up with what would not have expired (a day).
-- key         weekly_usage:{user}:{week}, the week reported, as IYYY-Www
-- still true  the user deployed or viewed a verdict in the week reported
-- figures     deployments, analysed, warnings, rollbacks, unmeasured, failed (pipelines) over all own projects in the user's local
--             week; days and projects, the same by day and by project; latency_delta against the week before;
--             previous_deployments, previous_warnings, previous_rollbacks for the week before (null when the user had not
--             signed up by then)
-- params      local_time, ahead, blast_limit (null: everybody's report is due within a day)
-- reads       users (id, is_active, created_at), projects (id, name, owner_id),
--             deployments (id, project_id, started_at, pipeline_result), deployment_verdicts (deployment_id, verdict, summary),
--             metric_samples (deployment_id, phase, latency_p95)
--
-- A time of day that does not exist on that Monday (clocks went forward over it) is reckoned with the offset before the
-- change, one that exists twice is its second occurrence: what Postgres does. 08:00 on a Monday is neither in any zone
-- today, another params.local_time may be.

-- Cause ------------------------------------------------------------------------------------------------------------------
create or replace function public.email_ret_01_audience()
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
    select t.active_since, t.expires_after, coalesce(t.params ->> 'local_time', '08:00')::time as local_time,
        coalesce(t.params ->> 'ahead', '3 hours')::interval as ahead
    into kind
    from public.email_types t where t.code = 'E-RET-01';
    return query
    with due as materialized (
        select z.name as zone_name, monday.day - 7 as week, at.run_at,
            (monday.day - 7)::timestamp at time zone z.zone as week_start,
            monday.day::timestamp at time zone z.zone as week_end
        from public.email_zones() z
        cross join lateral (
            select date_trunc('week', (checked_at + kind.ahead) at time zone z.zone)::date
        ) monday (day)
        cross join lateral (
            select (monday.day + kind.local_time) at time zone z.zone as run_at
        ) at
        where at.run_at > checked_at - kind.expires_after and at.run_at <= checked_at + kind.ahead and at.run_at >= kind.active_since
    )
    select u.id, null::uuid, format('weekly_usage:%s:%s', u.id, to_char(due.week, 'IYYY-"W"IW')), due.run_at,
        jsonb_build_object('week_start', to_char(due.week, 'YYYY-MM-DD'))
    from due
    join public.users u on coalesce(u.is_active, true)
    left join public.email_preferences f on f.user_id = u.id
    where due.zone_name = coalesce(f.timezone, 'Europe/Paris')
    and exists (select from public.email_usage(u.id, due.week_start, due.week_end));
end
$$;
comment on function public.email_ret_01_audience() is
'E-RET-01: the users who deployed or viewed a verdict in their last local week and whose Monday, 08:00, is at hand or was missed within a day.';
revoke all on function public.email_ret_01_audience() from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_ret_01_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set timezone = 'UTC'
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select o.id,
        case when not exists (select from public.email_usage(o.user_id, b.week_start, b.week_end))
            then 'no deployment and no verdict viewed in the week of ' || to_char(w.monday, 'YYYY-MM-DD') end,
        jsonb_build_object(
            'week_start', to_char(w.monday, 'YYYY-MM-DD'),
            'deployments', week.deployments,
            'analysed', week.analysed,
            'warnings', week.warnings,
            'rollbacks', week.rollbacks,
            'unmeasured', week.unmeasured,
            'failed', week.failed,
            'latency_delta', public.email_latency_trend(own.projects, b.before_start, b.week_start, b.week_end),
            'days', report.days,
            'projects', report.projects,
            'previous_deployments', case when u.created_at < b.week_start then before.deployments end,
            'previous_warnings', case when u.created_at < b.week_start then before.warnings end,
            'previous_rollbacks', case when u.created_at < b.week_start then before.rollbacks end
        )
    from public.email_outbox o
    left join public.users u on u.id = o.user_id
    left join public.email_preferences f on f.user_id = o.user_id
    cross join lateral (select public.email_zone(f.timezone) as name) zone
    cross join lateral (
        select coalesce(public.email_day(o.payload ->> 'week_start'), public.email_week(split_part(o.dedupe_key, ':', 3)),
            date_trunc('week', o.due_at at time zone zone.name)::date - 7) as monday
    ) w
    cross join lateral (
        select
            (w.monday - 7)::timestamp at time zone zone.name as before_start,
            w.monday::timestamp at time zone zone.name as week_start,
            (w.monday + 7)::timestamp at time zone zone.name as week_end
    ) b
    cross join lateral (select array(select p.id from public.projects p where p.owner_id = o.user_id) as projects) own
    cross join lateral public.email_value(own.projects, b.week_start, b.week_end) week
    cross join lateral public.email_report(own.projects, b.week_start, b.week_end, zone.name) report
    cross join lateral public.email_value(own.projects, b.before_start, b.week_start) before
    where o.id = any(ids);
end
$$;
comment on function public.email_ret_01_current(bigint[]) is
'E-RET-01: true when the user deployed or viewed a verdict in the week reported; with the figures of that week, by day and by project, and of the one before.';
revoke all on function public.email_ret_01_current(bigint[]) from public;

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_ret_01_audience(), public.email_ret_01_current(bigint[])'),
    ('select (id, is_active, created_at) on public.users'),
    ('select (id, name, owner_id) on public.projects'),
    ('select (id, project_id, started_at, pipeline_result) on public.deployments'),
    ('select (deployment_id, verdict, summary) on public.deployment_verdicts'),
    ('select (deployment_id, phase, latency_p95) on public.metric_samples')
) g (privileges);
