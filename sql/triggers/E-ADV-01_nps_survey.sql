-- E-ADV-01  NPS survey after a milestone                                   marketing, capped, priority 15
--
-- cause       scan, daily: a milestone is passed, and the user was active (email_activity) in the last 7 days. A milestone is so
--             many UTC days since the sign-up, both counted: those of params.milestones.days (30, 180), then every multiple of
--             params.milestones.then_every (365); with it the user was active on params.active_days (30) different UTC days
--             in all, and their projects started more than params.min_deployments (20) deployments. Only the latest that is
--             passed is asked about
-- fact's time the milestone: the latest of its day, of the beginning of activity on the 30th day, and of the start of the 21st
--             deployment
-- when        now (the scan finds the milestone within a day of it, so within its week). One that was passed before active_since:
--             at a moment of the params.spread (4 weeks) after it, chosen by a stable hash of the user. Within params.quiet (150
--             days) of the last survey sent to the user it waits until they are over. Whoever is not active then is asked when
--             they are: the question is about today
-- key         nps_survey:{user}:{milestone}, such as 30d. The milestone's name is its days: tuning the rest asks nobody twice
-- still true  the user was active in the last 14 days
-- figures     deployments (finished ones of all own projects), active_days (days since the first activity)
-- params      milestones, active_days, min_deployments, spread, quiet
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
    select t.active_since, (t.params ->> 'active_days')::integer as active_days, (t.params ->> 'min_deployments')::integer as min_deployments,
        array(select d.value::integer from jsonb_array_elements_text(t.params -> 'milestones' -> 'days') d) as days,
        nullif((t.params -> 'milestones' ->> 'then_every')::integer, 0) as then_every,
        coalesce(t.params ->> 'spread', '0')::interval as spread, coalesce(t.params ->> 'quiet', '0')::interval as quiet
    into kind
    from public.email_types t where t.code = 'E-ADV-01';
    return query
    -- The cheap questions first: few users have so many deployments, and those who were asked lately are out.
    with engaged as materialized (
        select u.id, m.key, greatest(many.reached_at, date_trunc('day', u.created_at) + make_interval(days => m.days - 1)) as reached_at
        from public.users u
        cross join lateral (select checked_at::date - u.created_at::date + 1 as days) age
        cross join lateral (
            select max(d.days) as days, format('nps_survey:%s:%sd', u.id, max(d.days)) as key
            from (
                select unnest(kind.days)
                union all
                select age.days / kind.then_every * kind.then_every where age.days >= kind.then_every
            ) d (days)
            where d.days <= age.days
        ) m
        cross join lateral (
            select d.started_at as reached_at
            from public.projects p join public.deployments d on d.project_id = p.id
            where p.owner_id = u.id and d.started_at <= checked_at
            order by d.started_at
            offset kind.min_deployments
            limit 1
        ) many
        where coalesce(u.is_active, true) and m.days is not null
        and not exists (select from public.email_deliveries j where j.dedupe_key = m.key)
        and not exists (
            select from public.email_deliveries j
            where j.user_id = u.id and j.email_type = 'E-ADV-01' and j.sent_at > checked_at - kind.quiet
        )
        and exists (select from public.email_activity(u.id, checked_at - interval '7 days', checked_at + interval '1 microsecond'))
    )
    select e.id, null::uuid, e.key, checked_at, '{}'::jsonb
    from engaged e
    cross join lateral (
        select min(a.active_at) as reached_at
        from public.email_activity(e.id, '-infinity', checked_at + interval '1 microsecond') a
        group by date_trunc('day', a.active_at)
        order by 1
        offset kind.active_days - 1
        limit 1
    ) days
    where greatest(e.reached_at, days.reached_at) >= kind.active_since
    or checked_at >= kind.active_since + ('x' || substr(md5('E-ADV-01 ' || e.id), 1, 8))::bit(32)::bigint / 4294967296.0 * kind.spread;
end
$$;
comment on function public.email_adv_01_audience() is 'E-ADV-01: users whose latest milestone was not asked about and who were active in the last seven days; without those who were asked in params.quiet, and those whose turn in the spread has not come.';
revoke all on function public.email_adv_01_audience() from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_adv_01_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set timezone = 'UTC'
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    checked_at timestamptz := public.email_now();
begin
    return query
    select o.id,
        case when l.last_active_at <= checked_at - interval '14 days' then 'not active since ' || to_char(l.last_active_at, 'YYYY-MM-DD') end,
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
    cross join lateral public.email_last_active(o.user_id, checked_at) l
    where o.id = any(ids);
end
$$;
comment on function public.email_adv_01_current(bigint[]) is 'E-ADV-01: true while the user was active in the last 14 days; with how much and for how long SEQPULSE was used.';
revoke all on function public.email_adv_01_current(bigint[]) from public;

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_adv_01_audience(), public.email_adv_01_current(bigint[])'),
    ('select (id, is_active, created_at) on public.users'),
    ('select (id, owner_id, created_at) on public.projects'),
    ('select (project_id, state, started_at) on public.deployments')
) g (privileges);
