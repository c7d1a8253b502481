-- E-CONV-01  Free quota at 80 %                                            marketing, capped, priority 50
--
-- cause       scan, every 15 minutes: a free project has started params.threshold (40) deployments this UTC month, and
--             fewer than E-CONV-02's threshold (45)
-- fact's time when the 40th deployment started: a project that got there before active_since hears of it next month
-- when        now (within the hour of the 40th deployment)
-- key         free_quota_80:{project}:{month}
-- still true  the month is not over, the project is still free and between the two thresholds
-- figures     deployments_used, deployments_limit, estimated_days_left, deployments_per_day, alerts, resets_on
-- params      threshold, quota (the Free plan's deployments per month)
-- reads       users (id, is_active), projects (id, name, owner_id, plan), deployments (id, project_id, started_at, pipeline_result),
--             deployment_verdicts (deployment_id, verdict, summary)
--
-- The functions that E-CONV-02 shares stand here.

-- Shared with E-CONV-02 --------------------------------------------------------------------------------------------------
-- Every deployment of the month is looked at: by an index on deployments (started_at) where there is one (docs/scans.md),
-- otherwise by reading the table.
create or replace function public.email_quota_audience(code text, key_prefix text, at_least integer, below integer)
returns table (user_id uuid, project_id uuid, dedupe_key text, run_at timestamptz, payload jsonb)
language plpgsql
set timezone = 'UTC'
set jit = off
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    checked_at timestamptz := public.email_now();
    month_start timestamptz := date_trunc('month', checked_at);
    kind record;
begin
    select t.active_since into kind from public.email_types t where t.code = email_quota_audience.code;
    return query
    select p.owner_id, p.id, format('%s:%s:%s', key_prefix, p.id, to_char(month_start, 'YYYY-MM')), checked_at,
        jsonb_build_object('month', to_char(month_start, 'YYYY-MM'))
    from (
        select d.project_id
        from public.deployments d
        where d.started_at >= month_start and d.started_at <= checked_at
        group by d.project_id
        having count(*) >= at_least and count(*) < below
    ) used
    join public.projects p on p.id = used.project_id
    join public.users u on u.id = p.owner_id
    cross join lateral (
        select d.started_at as at
        from public.deployments d
        where d.project_id = p.id and d.started_at >= month_start and d.started_at <= checked_at
        order by d.started_at
        offset at_least - 1
        limit 1
    ) reached
    where p.plan = 'free' and coalesce(u.is_active, true) and reached.at >= kind.active_since;
end
$$;
comment on function public.email_quota_audience(text, text, integer, integer) is
'The free projects that started at least so many deployments this UTC month and fewer than below, and got there after the type''s active_since.';
revoke all on function public.email_quota_audience(text, text, integer, integer) from public;

create or replace function public.email_quota_current(ids bigint[], at_least integer, below integer, quota integer)
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set timezone = 'UTC'
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    checked_at timestamptz := public.email_now();
    month_start timestamptz := date_trunc('month', checked_at);
    next_month timestamptz := month_start + interval '1 month';
    -- Days so far; before the first is over it counts as a whole one.
    days_so_far double precision := greatest(extract(epoch from checked_at - month_start) / 86400, 1);
begin
    return query
    select o.id,
        case
            when r.month <> month_start::date then 'the month it is about is over'
            when r.project_id is null then null
            when p.id is null then 'no such project'
            when p.plan <> 'free' then 'project is not free any more'
            when used.deployments < at_least then format('%s deployments are used, fewer than %s', used.deployments, at_least)
            when used.deployments >= below then format('%s deployments are used by now, %s or more', used.deployments, below)
        end,
        case when p.id is null then '{}' else jsonb_build_object(
            'project_name', p.name,
            'project_id', p.id,
            'deployments_used', used.deployments,
            'deployments_limit', quota,
            'deployments_per_day', round(pace.per_day::numeric, 1),
            'estimated_days_left', case
                when used.deployments > 0 and checked_at + make_interval(secs => 86400 * left_days.days) < next_month
                then ceil(left_days.days)::integer
            end,
            'alerts', used.warnings + used.rollbacks,
            'resets_on', to_char(next_month, 'YYYY-MM-DD')
        ) end
    from public.email_outbox o
    cross join lateral (
        select
            coalesce(o.project_id, public.email_key_id(o.dedupe_key, 2)) as project_id,
            coalesce(public.email_month(o.payload ->> 'month'), public.email_month(split_part(o.dedupe_key, ':', 3)),
                date_trunc('month', o.due_at)::date) as month
    ) r
    left join public.projects p on p.id = r.project_id
    cross join lateral public.email_value(array[p.id], month_start, checked_at + interval '1 microsecond') used
    -- Whichever is faster: who deploys more lately than at the month's beginning is there sooner than its mean says.
    cross join lateral (
        select greatest(used.deployments / days_so_far, (
            select count(*) from public.deployments d
            where d.project_id = p.id and d.started_at > checked_at - interval '7 days' and d.started_at <= checked_at
        ) / 7.0::double precision) as per_day
    ) pace
    cross join lateral (
        select least(greatest(quota - used.deployments, 0) / greatest(pace.per_day, 1e-9), 1000) as days
    ) left_days
    where o.id = any(ids);
end
$$;
comment on function public.email_quota_current(bigint[], integer, integer, integer) is
'E-CONV-01 and E-CONV-02: true while the month lasts and the project is free and within the bounds; with the month''s figures.';
revoke all on function public.email_quota_current(bigint[], integer, integer, integer) from public;

-- Cause ------------------------------------------------------------------------------------------------------------------
create or replace function public.email_conv_01_audience()
returns table (user_id uuid, project_id uuid, dedupe_key text, run_at timestamptz, payload jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select a.*
    from public.email_types t
    join public.email_types next_step on next_step.code = 'E-CONV-02'
    cross join lateral public.email_quota_audience(
        t.code, 'free_quota_80', (t.params ->> 'threshold')::integer, (next_step.params ->> 'threshold')::integer
    ) a
    where t.code = 'E-CONV-01';
end
$$;
comment on function public.email_conv_01_audience() is 'E-CONV-01: free projects between the 80 % and the 90 % threshold this UTC month.';
revoke all on function public.email_conv_01_audience() from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_conv_01_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select c.*
    from public.email_types t
    join public.email_types next_step on next_step.code = 'E-CONV-02'
    cross join lateral public.email_quota_current(
        ids, (t.params ->> 'threshold')::integer, (next_step.params ->> 'threshold')::integer, coalesce((t.params ->> 'quota')::integer, 50)
    ) c
    where t.code = 'E-CONV-01';
end
$$;
comment on function public.email_conv_01_current(bigint[]) is
'E-CONV-01: true while the month lasts and the project is free and between the two thresholds.';
revoke all on function public.email_conv_01_current(bigint[]) from public;

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_quota_audience(text, text, integer, integer), public.email_quota_current(bigint[], integer, integer, integer), public.email_conv_01_audience(), public.email_conv_01_current(bigint[])'),
    ('select (id, is_active) on public.users'),
    ('select (id, name, owner_id, plan) on public.projects'),
    ('select (id, project_id, started_at, pipeline_result) on public.deployments'),
    ('select (deployment_id, verdict, summary) on public.deployment_verdicts')
) g (privileges);
