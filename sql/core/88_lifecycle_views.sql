-- How the product is used and paid for, week by week and month by month: what the specification's letters aim at (E-RET-01: weekly
-- active users; E-ACT-03: of what is triggered, how much is finished; E-CONV-05: conversion by cohort).
--
-- They read the application's tables through functions (docs/rules.md#good-neighbour): SECURITY DEFINER, so that a dashboard's role needs no right on
-- those tables, and they answer nothing but counts.  Where a table or column is gone they answer no row.  Weeks and months are UTC.

-- Weekly active users ----------------------------------------------------------------------------------------------------
create or replace function public.email_wau_over(over interval default '84 days')
returns table (week text, starts date, users bigint, returned bigint, value numeric, complete boolean)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set jit = off
as $$
#variable_conflict use_column
declare
    this_week constant timestamptz := date_trunc('week', public.email_now());
    first_week timestamptz;
begin
    if over is null or over < interval '7 days' or over > interval '3660 days' then
        raise exception 'weeks are counted over 7 days at least and ten years at most, not over %', over using errcode = 'invalid_parameter_value';
    end if;
    first_week := date_trunc('week', public.email_now() - over + interval '7 days');
    return query
    with active as materialized (
        select distinct u.id, date_trunc('week', a.active_at) as week
        from public.users u
        -- One week more: whether those of the first were active before.
        cross join lateral public.email_activity(u.id, first_week - interval '7 days', public.email_now() + interval '1 microsecond') a
    )
    select to_char(w.monday, 'IYYY-"W"IW'), w.monday::date, count(a.id), count(b.id),
        public.email_percent(count(b.id), (select count(*) from active p where p.week = w.monday - interval '7 days')), w.monday < this_week
    from generate_series(first_week, this_week, interval '7 days') w (monday)
    left join active a on a.week = w.monday
    left join active b on b.id = a.id and b.week = w.monday - interval '7 days'
    group by w.monday
    order by w.monday;
exception when undefined_column or undefined_table then
    return;
end
$$;
comment on function public.email_wau_over(interval) is
'Weekly active users of the weeks of a period that ends now (12 weeks unless told), the running one included. See docs/kpis.md.';
revoke all on function public.email_wau_over(interval) from public;

drop view if exists public.email_wau;
create view public.email_wau as
select w.week, w.starts, w.users, w.returned, w.value, w.complete from public.email_wau_over(interval '84 days') w;
comment on view public.email_wau is
'Weekly active users of the last 12 UTC weeks, and how many of the week before came back: what E-RET-01 aims at. It reads a period of every user''s activity: for dashboards, not for every request.';
comment on column public.email_wau.week is 'ISO week, such as 2026-W09.';
comment on column public.email_wau.starts is 'Its Monday.';
comment on column public.email_wau.users is 'How many users were active in it, as email_activity() has it.';
comment on column public.email_wau.returned is 'How many of them were active in the week before, too.';
comment on column public.email_wau.value is 'returned of those of the week before, in percent, two decimals: the weekly return. null when there were none.';
comment on column public.email_wau.complete is 'false for the running week.';

-- From trigger to finish -----------------------------------------------------------------------------------------------------
create or replace function public.email_finish_ratio_over(over interval default '84 days')
returns table (week text, starts date, triggered bigint, finished bigint, pending bigint, value numeric, complete boolean)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set jit = off
as $$
#variable_conflict use_column
declare
    this_week constant timestamptz := date_trunc('week', public.email_now());
    first_week timestamptz;
begin
    if over is null or over < interval '7 days' or over > interval '3660 days' then
        raise exception 'weeks are counted over 7 days at least and ten years at most, not over %', over using errcode = 'invalid_parameter_value';
    end if;
    first_week := date_trunc('week', public.email_now() - over + interval '7 days');
    return query
    with counted as (
        select date_trunc('week', d.started_at) as week, count(*) as triggered,
            count(*) filter (where d.state in ('finished', 'analyzed')) as finished,
            count(*) filter (where d.state not in ('finished', 'analyzed') and d.started_at > public.email_now() - interval '48 hours') as pending
        from public.deployments d
        where d.started_at >= first_week and d.started_at <= public.email_now()
        group by date_trunc('week', d.started_at)
    )
    select to_char(w.monday, 'IYYY-"W"IW'), w.monday::date, coalesce(c.triggered, 0), coalesce(c.finished, 0), coalesce(c.pending, 0),
        public.email_percent(c.finished, c.triggered - c.pending), w.monday < this_week
    from generate_series(first_week, this_week, interval '7 days') w (monday)
    left join counted c on c.week = w.monday
    order by w.monday;
exception when undefined_column or undefined_table then
    return;
end
$$;
comment on function public.email_finish_ratio_over(interval) is
'Of the deployments triggered in each week of a period that ends now (12 weeks unless told), how many were finished. See docs/kpis.md.';
revoke all on function public.email_finish_ratio_over(interval) from public;

drop view if exists public.email_finish_ratio;
create view public.email_finish_ratio as
select f.week, f.starts, f.triggered, f.finished, f.pending, f.value, f.complete from public.email_finish_ratio_over(interval '84 days') f;
comment on view public.email_finish_ratio is
'Of the deployments triggered in each of the last 12 UTC weeks, how many were finished: what E-ACT-03 aims at. It reads the deployments of that time: for dashboards, not for every request.';
comment on column public.email_finish_ratio.week is 'ISO week in which they were triggered, such as 2026-W09.';
comment on column public.email_finish_ratio.starts is 'Its Monday.';
comment on column public.email_finish_ratio.triggered is 'How many deployments began in it.';
comment on column public.email_finish_ratio.finished is 'How many of them are finished, whenever that was.';
comment on column public.email_finish_ratio.pending is 'How many are not, but began less than 48 hours ago: they count for nothing yet.';
comment on column public.email_finish_ratio.value is 'finished of triggered without pending, in percent, two decimals; null when there are none.';
comment on column public.email_finish_ratio.complete is 'false for the running week.';

-- Conversion by cohort ---------------------------------------------------------------------------------------------------------
create or replace function public.email_conversion_cohorts_over(over interval default '1 year')
returns table (cohort text, month text, months_after integer, projects bigint, converted bigint, converted_so_far bigint, value numeric, complete boolean)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set jit = off
as $$
#variable_conflict use_column
declare
    this_month constant timestamptz := date_trunc('month', public.email_now());
    first_month timestamptz;
begin
    if over is null or over < interval '1 month' or over > interval '10 years' then
        raise exception 'cohorts are counted over a month at least and ten years at most, not over %', over using errcode = 'invalid_parameter_value';
    end if;
    first_month := date_trunc('month', public.email_now() - over + interval '1 month');
    return query
    -- Per project, as plans are, and only those that began as free, as free_to_pro_conversion_30d has it.
    with began_free as materialized (
        select date_trunc('month', p.created_at) as cohort, date_trunc('month', u.upgraded_at) as converted_in
        from public.projects p
        cross join lateral public.email_kpi_upgraded(p.id, null, p.created_at, public.email_now()) u
        left join lateral (
            select s.payload ->> 'from' as plan from public.email_signals s
            where s.project_id = p.id and s.kind = 'plan_changed'
            order by s.occurred_at, s.id
            limit 1
        ) first on true
        where p.created_at >= first_month and p.created_at <= public.email_now()
        and coalesce(first.plan, p.plan) = 'free'
    ),
    cohorts as (
        select b.cohort, count(*) as projects from began_free b group by b.cohort
    )
    select to_char(c.cohort, 'YYYY-MM'), to_char(m.month, 'YYYY-MM'),
        (12 * (extract(year from m.month) - extract(year from c.cohort)) + extract(month from m.month) - extract(month from c.cohort))::integer,
        c.projects,
        (select count(*) from began_free b where b.cohort = c.cohort and b.converted_in = m.month),
        n.so_far, public.email_percent(n.so_far, c.projects), m.month < this_month
    from cohorts c
    cross join lateral generate_series(c.cohort, this_month, interval '1 month') m (month)
    cross join lateral (select count(*) as so_far from began_free b where b.cohort = c.cohort and b.converted_in <= m.month) n
    order by c.cohort, m.month;
exception when undefined_column or undefined_table then
    return;
end
$$;
comment on function public.email_conversion_cohorts_over(interval) is
'Of the free projects created in each month of a period that ends now (a year unless told), how many were upgraded in that and each later month. See docs/kpis.md.';
revoke all on function public.email_conversion_cohorts_over(interval) from public;

drop view if exists public.email_conversion_cohorts;
create view public.email_conversion_cohorts as
select c.cohort, c.month, c.months_after, c.projects, c.converted, c.converted_so_far, c.value, c.complete
from public.email_conversion_cohorts_over(interval '1 year') c;
comment on view public.email_conversion_cohorts is
'Conversion from free to a paid plan, month by month, of the projects created in each of the last 12 UTC months: what E-CONV-05 aims at. A row per cohort and month since. It reads a year of projects: for dashboards, not for every request.';
comment on column public.email_conversion_cohorts.cohort is 'The month in which the projects were created, such as 2026-02.';
comment on column public.email_conversion_cohorts.month is 'The month that is looked at.';
comment on column public.email_conversion_cohorts.months_after is 'How many months after the cohort''s own it is; 0: the same.';
comment on column public.email_conversion_cohorts.projects is 'How many projects of the cohort began as free. A deleted project counts nowhere.';
comment on column public.email_conversion_cohorts.converted is 'How many of them first went from free to a paid plan in this month.';
comment on column public.email_conversion_cohorts.converted_so_far is 'How many until the end of this month.';
comment on column public.email_conversion_cohorts.value is 'converted_so_far of projects, in percent, two decimals.';
comment on column public.email_conversion_cohorts.complete is 'false for the running month.';

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_reader', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_wau_over(interval), public.email_finish_ratio_over(interval), public.email_conversion_cohorts_over(interval)'),
    ('select on public.email_wau, public.email_finish_ratio, public.email_conversion_cohorts')
) g (privileges);
