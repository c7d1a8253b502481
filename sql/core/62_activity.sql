-- What "active" means, the user's own time, and figures several letters share.
--
-- The functions that say when a user was active, and those that count, are written so that Postgres inlines them into the query that asks
-- (one statement, stable, no "set", not strict): for one user or for all, they become index scans.  So their search_path is
-- not pinned; only the functions of sql/triggers, whose own is, call them.

-- Activity -----------------------------------------------------------------------------------------------------------
create or replace function public.email_activity(of_user uuid, since timestamptz, until timestamptz)
returns table (active_at timestamptz)
language sql stable
as $$
select u.created_at from public.users u
where u.id = of_user and u.created_at >= since and u.created_at < until
union all
select d.started_at from public.projects p join public.deployments d on d.project_id = p.id
where p.owner_id = of_user and d.started_at >= since and d.started_at < until
union all
select s.occurred_at from public.email_signals s
where s.user_id = of_user and s.kind in ('login', 'verdict_viewed', 'still_active') and s.occurred_at >= since and s.occurred_at < until
union all
select p.created_at from public.projects p
where p.owner_id = of_user and p.created_at >= since and p.created_at < until
union all
-- The application keeps the last one only.
select u.twofa_last_verified_at from public.users u
where u.id = of_user and u.twofa_last_verified_at >= since and u.twofa_last_verified_at < until
$$;
comment on function public.email_activity(uuid, timestamptz, timestamptz) is
'Every moment from since (included) to until (not included) at which this user was active: sign-up, project created, deployment of an own project started, signals login, verdict_viewed and still_active, second factor last verified.';
revoke all on function public.email_activity(uuid, timestamptz, timestamptz) from public;

-- What a weekly report is about: signing up or logging in alone is nothing to report.
create or replace function public.email_usage(of_user uuid, since timestamptz, until timestamptz)
returns table (used_at timestamptz)
language sql stable
as $$
select d.started_at from public.projects p join public.deployments d on d.project_id = p.id
where p.owner_id = of_user and d.started_at >= since and d.started_at < until
union all
select s.occurred_at from public.email_signals s
where s.user_id = of_user and s.kind = 'verdict_viewed' and s.occurred_at >= since and s.occurred_at < until
$$;
comment on function public.email_usage(uuid, timestamptz, timestamptz) is
'Every moment from since (included) to until (not included) at which this user used the product: a deployment of an own project started, a verdict viewed.';
revoke all on function public.email_usage(uuid, timestamptz, timestamptz) from public;

-- The same seven sources, but only the end of each: one step into an index instead of the whole history.
create or replace function public.email_last_active(of_user uuid, as_of timestamptz)
returns table (last_active_at timestamptz)
language sql stable
as $$
select max(a.active_at)
from (
    select u.created_at from public.users u where u.id = of_user and u.created_at <= as_of
    union all
    select u.twofa_last_verified_at from public.users u where u.id = of_user and u.twofa_last_verified_at <= as_of
    union all
    select p.created_at from public.projects p where p.owner_id = of_user and p.created_at <= as_of
    union all
    select latest.started_at
    from public.projects p
    cross join lateral (
        select d.started_at from public.deployments d
        where d.project_id = p.id and d.started_at <= as_of
        order by d.started_at desc
        limit 1
    ) latest
    where p.owner_id = of_user
    union all
    (
        select s.occurred_at from public.email_signals s
        where s.user_id = of_user and s.kind = 'login' and s.occurred_at <= as_of
        order by s.occurred_at desc
        limit 1
    )
    union all
    (
        select s.occurred_at from public.email_signals s
        where s.user_id = of_user and s.kind = 'verdict_viewed' and s.occurred_at <= as_of
        order by s.occurred_at desc
        limit 1
    )
    union all
    (
        select s.occurred_at from public.email_signals s
        where s.user_id = of_user and s.kind = 'still_active' and s.occurred_at <= as_of
        order by s.occurred_at desc
        limit 1
    )
) a (active_at)
$$;
comment on function public.email_last_active(uuid, timestamptz) is
'When this user was last active, up to and including as_of: the latest moment of email_activity(); null when there is no such user.';
revoke all on function public.email_last_active(uuid, timestamptz) from public;

-- Local time ---------------------------------------------------------------------------------------------------------
create or replace function public.email_zone(name text) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if name is null then
        return 'Europe/Paris';
    end if;
    perform pg_catalog.now() at time zone name;
    return name;
exception when invalid_parameter_value then
    return 'Europe/Paris';
end
$$;
comment on function public.email_zone(text) is
'The time zone to reckon with for what a preferences row says: itself when Postgres knows it, otherwise (and for null) Europe/Paris.';
revoke all on function public.email_zone(text) from public;

create or replace function public.email_zones() returns table (name text, zone text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
-- "offset 0" keeps what is asked about a zone from being worked out once per row of email_preferences.
select z.name, z.zone
from (
    select n.name, public.email_zone(n.name) as zone
    from (select 'Europe/Paris' union select p.timezone from public.email_preferences p offset 0) n (name)
    offset 0
) z
$$;
comment on function public.email_zones() is
'Every time zone that stands in email_preferences and the default one: as written, and the one to reckon with.';
revoke all on function public.email_zones() from public;

create or replace function public.email_week(week text) returns date
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    if week ~ '^[0-9]{4}-W(0[1-9]|[1-4][0-9]|5[0-3])$' then
        return to_date(week, 'IYYY-"W"IW');
    end if;
    return null;
end
$$;
comment on function public.email_week(text) is 'The Monday of an ISO week such as 2026-W09; null when it is not one.';
revoke all on function public.email_week(text) from public;

create or replace function public.email_month(month text) returns date
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    if month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$' then
        return to_date(month, 'YYYY-MM');
    end if;
    return null;
end
$$;
comment on function public.email_month(text) is 'The first day of a month such as 2026-02; null when it is not one.';
revoke all on function public.email_month(text) from public;

create or replace function public.email_day(day text) returns date
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    if day ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' then
        return make_date(substr(day, 1, 4)::integer, substr(day, 6, 2)::integer, substr(day, 9, 2)::integer);
    end if;
    return null;
exception when datetime_field_overflow then
    return null;
end
$$;
comment on function public.email_day(text) is 'A day such as 2026-02-28; null when it is not one.';
revoke all on function public.email_day(text) from public;

-- Figures ------------------------------------------------------------------------------------------------------------
-- A verdict that found no fault, because the application could not measure: its engine calls that a warning, too.
create or replace function public.email_unmeasured(verdict text, summary text) returns boolean
language sql immutable
as $$
select coalesce(verdict in ('warning', 'attention') and summary in (
    'Data quality insufficient to confirm deployment health', 'Insufficient metrics to assess deployment health',
    'Post-deploy metrics validation failed; deployment analyzed with limited confidence'), false)
$$;
comment on function public.email_unmeasured(text, text) is
'Whether a verdict says that nothing could be measured, which is no alert; by the exact summaries the application''s engine writes.';
revoke all on function public.email_unmeasured(text, text) from public;

-- What happened in a set of projects between two moments; the second one is not included.
drop function if exists public.email_value(uuid[], timestamptz, timestamptz);
create or replace function public.email_value(of_projects uuid[], since timestamptz, until timestamptz)
returns table (deployments bigint, analysed bigint, warnings bigint, rollbacks bigint, unmeasured bigint, failed bigint)
language sql stable
as $$
select
    count(*),
    count(v.verdict) filter (where not public.email_unmeasured(v.verdict, v.summary)),
    count(*) filter (where v.verdict in ('warning', 'attention') and not public.email_unmeasured(v.verdict, v.summary)),
    count(*) filter (where v.verdict = 'rollback_recommended'),
    count(*) filter (where public.email_unmeasured(v.verdict, v.summary)),
    count(*) filter (where d.pipeline_result = 'failed')
from public.deployments d
left join public.deployment_verdicts v on v.deployment_id = d.id
where d.project_id = any(of_projects) and d.started_at >= since and d.started_at < until
$$;
comment on function public.email_value(uuid[], timestamptz, timestamptz) is
'What SEQPULSE did for these projects from since to until (not included): deployments, those it analysed (a verdict that could measure), those with verdict warning and rollback_recommended, those whose verdict could not measure, and those whose pipeline failed, whatever the verdict. Zeros when there is nothing.';
revoke all on function public.email_value(uuid[], timestamptz, timestamptz) from public;

-- The same by day and by project, for the bars of a report.  A project's path leads to its latest alert, else to the project; with
-- ids, because two projects of a name have the same slug, and the application finds either by its id.
create or replace function public.email_report(of_projects uuid[], since timestamptz, until timestamptz, zone text)
returns table (days jsonb, projects jsonb)
language sql stable
as $$
with done as materialized (
    select d.id, d.project_id, d.started_at, v.verdict is not null and not public.email_unmeasured(v.verdict, v.summary) as analysed,
        v.verdict in ('warning', 'attention', 'rollback_recommended') and not public.email_unmeasured(v.verdict, v.summary) as alarming
    from public.deployments d
    left join public.deployment_verdicts v on v.deployment_id = d.id
    where d.project_id = any(of_projects) and d.started_at >= since and d.started_at < until
)
select
    (
        select jsonb_agg(jsonb_build_object('date', e.day, 'deployments', e.deployments, 'alerts', e.alerts) order by e.day)
        from (
            select (d.started_at at time zone zone)::pg_catalog.date as day, count(*) as deployments, count(*) filter (where d.alarming) as alerts
            from done d
            group by 1
        ) e
    ),
    (
        select jsonb_agg(jsonb_build_object(
            'project_id', e.project_id, 'name', p.name, 'deployments', e.deployments, 'analysed', e.analysed, 'alerts', e.alerts,
            'path', case when e.alert is null then '/dashboard/projects/' || e.project_id else '/dashboard/deployments/' || e.project_id || '/' || e.alert end
        ) order by e.alerts desc, e.deployments desc, p.name, p.id)
        from (
            select d.project_id, count(*) as deployments, count(*) filter (where d.analysed) as analysed, count(*) filter (where d.alarming) as alerts,
                (array_agg(d.id order by d.started_at desc) filter (where d.alarming))[1] as alert
            from done d
            group by d.project_id
        ) e
        join public.projects p on p.id = e.project_id
    )
$$;
comment on function public.email_report(uuid[], timestamptz, timestamptz, text) is
'The deployments from since to until (not included) by day of a time zone and by project, each with its alerts; a project with the path to its latest alert in the application. Null when there is none.';
revoke all on function public.email_report(uuid[], timestamptz, timestamptz, text) from public;

-- Zero, NaN, infinite and absurd samples (milliseconds) say nothing about a change and would spoil it.  Each project against itself,
-- so that deploying another one more often makes nothing faster.
drop function if exists public.email_latency_delta(uuid[], timestamptz, timestamptz);
create or replace function public.email_latency_trend(of_projects uuid[], before timestamptz, since timestamptz, until timestamptz)
returns numeric
language sql stable
as $$
select round((percentile_cont(0.5) within group (order by 100 * (t.now / t.past - 1)))::numeric, 1)
from (
    select
        percentile_cont(0.5) within group (order by r.latency) filter (where r.started_at < since) as past,
        percentile_cont(0.5) within group (order by r.latency) filter (where r.started_at >= since) as now
    from (
        select d.project_id, d.started_at, percentile_cont(0.5) within group (order by m.latency_p95) as latency
        from public.deployments d
        join public.metric_samples m on m.deployment_id = d.id
        where d.project_id = any(of_projects) and d.started_at >= before and d.started_at < until
        and m.phase = 'post' and m.latency_p95 between 1e-3 and 1e9
        group by d.id, d.project_id, d.started_at
    ) r
    group by r.project_id
) t
where t.past is not null and t.now is not null
$$;
comment on function public.email_latency_trend(uuid[], timestamptz, timestamptz, timestamptz) is
'How the p95 latency of these projects changed from the period before (before to since) to the period (since to until, not included), in percent with one decimal: of each project the median over its releases of the median p95 measured after the release, then the median of the projects'' changes; null when no project has both.';
revoke all on function public.email_latency_trend(uuid[], timestamptz, timestamptz, timestamptz) from public;

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_activity(uuid, timestamptz, timestamptz), public.email_usage(uuid, timestamptz, timestamptz), public.email_last_active(uuid, timestamptz), public.email_zone(text), public.email_zones(), public.email_week(text), public.email_month(text), public.email_day(text), public.email_unmeasured(text, text), public.email_value(uuid[], timestamptz, timestamptz), public.email_report(uuid[], timestamptz, timestamptz, text), public.email_latency_trend(uuid[], timestamptz, timestamptz, timestamptz)'),
    ('select (twofa_last_verified_at) on public.users')
) g (privileges);
