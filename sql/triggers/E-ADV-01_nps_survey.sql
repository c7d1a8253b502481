-- E-ADV-01  NPS survey after a milestone                                   marketing, capped, priority 15
--
-- cause       scan, daily: the user was active (email_activity) on params.active_days (30) different UTC days in all, their
--             projects started more than params.min_deployments (20) deployments, and they were active in the last 7 days
-- fact's time the milestone: the later of the beginning of activity on the 30th day and the start of the 21st deployment; one
--             reached before active_since is not asked about
-- when        now (the scan finds the milestone within a day of it, so within its week). After an outage it is still asked of
--             those who are using SEQPULSE: the question is about today.
-- key         nps_survey:{user}:30d. The milestone's name is fixed: tuning params asks nobody twice.
-- still true  always
-- figures     deployments (finished ones of all own projects), active_days (days since the first activity)
-- params      active_days, min_deployments
-- reads       users (id, is_active, created_at), projects (id, owner_id, created_at), deployments (project_id, state, started_at)

-- Cause ------------------------------------------------------------------------------------------------------------------
create or replace function public.email_adv_01_audience()
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
    select t.active_since, (t.params ->> 'active_days')::integer as active_days, (t.params ->> 'min_deployments')::integer as min_deployments
    into kind
    from public.email_types t where t.code = 'E-ADV-01';
    return query
    -- The cheap questions first: few users have so many deployments, and those who were asked are out for ever.
    with engaged as materialized (
        select u.id, many.reached_at
        from public.users u
        cross join lateral (
            select d.started_at as reached_at
            from public.projects p join public.deployments d on d.project_id = p.id
            where p.owner_id = u.id and d.started_at <= checked_at
            order by d.started_at
            offset kind.min_deployments
            limit 1
        ) many
        where coalesce(u.is_active, true) and u.created_at <= checked_at - make_interval(days => kind.active_days - 1)
        and exists (select from public.email_activity(u.id, checked_at - interval '7 days', checked_at + interval '1 microsecond'))
        and not exists (select from public.email_deliveries j where j.dedupe_key = format('nps_survey:%s:30d', u.id))
    )
    select e.id, null::uuid, format('nps_survey:%s:30d', e.id), checked_at, '{}'::jsonb
    from engaged e
    cross join lateral (
        select min(a.active_at) as reached_at
        from public.email_activity(e.id, '-infinity', checked_at + interval '1 microsecond') a
        group by date_trunc('day', a.active_at)
        order by 1
        offset kind.active_days - 1
        limit 1
    ) days
    where greatest(e.reached_at, days.reached_at) >= kind.active_since;
end
$$;
comment on function public.email_adv_01_audience() is 'E-ADV-01: users who reached the milestone since active_since, were not asked yet and were active in the last seven days.';
revoke all on function public.email_adv_01_audience() from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_adv_01_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    checked_at timestamptz := public.email_now();
begin
    return query
    select o.id, null::text,
        jsonb_build_object(
            'deployments', (
                select count(*) from public.projects p join public.deployments d on d.project_id = p.id
                where p.owner_id = o.user_id and d.state in ('finished', 'analyzed')
            ),
            'active_days', (
                select floor(extract(epoch from checked_at - min(a.active_at)) / 86400)::integer
                from public.email_activity(o.user_id, '-infinity', checked_at + interval '1 microsecond') a
            )
        )
    from public.email_outbox o
    where o.id = any(ids);
end
$$;
comment on function public.email_adv_01_current(bigint[]) is 'E-ADV-01: always true; with how much and for how long SEQPULSE was used.';
revoke all on function public.email_adv_01_current(bigint[]) from public;

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_adv_01_audience(), public.email_adv_01_current(bigint[])'),
    ('select (id, is_active, created_at) on public.users'),
    ('select (id, owner_id, created_at) on public.projects'),
    ('select (project_id, state, started_at) on public.deployments')
) g (privileges);
