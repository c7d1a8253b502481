-- E-RET-02  Activity dropped                                               marketing, capped, priority 45
--
-- cause       scan, daily: in week N, the last local ISO week of the user that is over, a project of theirs started at
--             most params.drop_percent (50) % of the deployments of week N-1, and in week N-1 at least
--             params.min_deployments (4); no recovery since
-- fact's time the end of week N, Monday 00:00 of the user: a week that ended before active_since is not looked at
-- when        now (within 24 h of the detection; the scan may find it until week N+1 ends)
-- key         activity_drop:{user}:{week N}, as IYYY-Www: one letter, however many projects
-- still true  one of the projects did not recover: its deployments of the last seven days are still at most drop_percent % of
--             those of week N-1; and its deployments of both weeks still show the drop
-- figures     projects: those, each with name, deployments (week N) and previous_deployments (week N-1); deployments and
--             previous_deployments of all of them; project_name and project_id when it is one
-- params      drop_percent, min_deployments
-- reads       users (id, is_active), projects (id, name, owner_id), deployments (project_id, started_at)

-- The rule, once for the scan, the claim and the segments ------------------------------------------------------------------
create or replace function public.email_drop_counts(of_project uuid, zone text, monday date, checked_at timestamptz)
returns table (week_end timestamptz, before bigint, week bigint, lately bigint)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
select
    b.week_end,
    (
        select count(*) from public.deployments d
        where d.project_id = of_project and d.started_at >= b.before_start and d.started_at < b.week_start
    ),
    (
        select count(*) from public.deployments d
        where d.project_id = of_project and d.started_at >= b.week_start and d.started_at < b.week_end
    ),
    -- Never reaching back into week N-1: a local week may be an hour short of seven days.
    (
        select count(*) from public.deployments d
        where d.project_id = of_project and d.started_at > greatest(checked_at - interval '168 hours', b.week_start)
        and d.started_at <= checked_at
    )
from (
    select
        (monday - 7)::timestamp at time zone zone as before_start,
        monday::timestamp at time zone zone as week_start,
        (monday + 7)::timestamp at time zone zone as week_end
) b
$$;
comment on function public.email_drop_counts(uuid, text, date, timestamptz) is
'Deployments a project started in the local week before monday''s (before), in monday''s (week), and in the seven days until checked_at (lately).';
revoke all on function public.email_drop_counts(uuid, text, date, timestamptz) from public;

create or replace function public.email_activity_drops()
returns table (user_id uuid, project_id uuid, monday date, week_end timestamptz)
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
    select coalesce((t.params ->> 'drop_percent')::numeric, 50) as drop_percent,
        coalesce((t.params ->> 'min_deployments')::integer, 4) as min_deployments
    into kind
    from public.email_types t where t.code = 'E-RET-02';
    return query
    with zones as materialized (
        select z.name, z.zone, w.monday,
            (w.monday - 7)::timestamp at time zone z.zone as before_start,
            w.monday::timestamp at time zone z.zone as week_start
        from public.email_zones() z
        cross join lateral (select date_trunc('week', checked_at at time zone z.zone)::date - 7) w (monday)
    ),
    -- Week N-1 alone rules nearly every project out, and costs one step into an index per project.
    busy as materialized (
        select p.id, p.owner_id, z.zone, z.monday
        from public.projects p
        join public.users u on u.id = p.owner_id and coalesce(u.is_active, true)
        left join public.email_preferences f on f.user_id = u.id
        join zones z on z.name = coalesce(f.timezone, 'Europe/Paris')
        cross join lateral (
            select count(*) as before
            from public.deployments d
            where d.project_id = p.id and d.started_at >= z.before_start and d.started_at < z.week_start
        ) c
        where c.before >= kind.min_deployments
    )
    select b.owner_id, b.id, b.monday, c.week_end
    from busy b
    cross join lateral public.email_drop_counts(b.id, b.zone, b.monday, checked_at) c
    where c.week <= c.before * kind.drop_percent / 100 and c.lately <= c.before * kind.drop_percent / 100;
end
$$;
comment on function public.email_activity_drops() is
'The projects for which E-RET-02''s rule holds now, whenever it began to: their owner, week N''s Monday and its end.';
revoke all on function public.email_activity_drops() from public;

-- Cause ------------------------------------------------------------------------------------------------------------------
create or replace function public.email_ret_02_audience()
returns table (user_id uuid, project_id uuid, dedupe_key text, run_at timestamptz, payload jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select d.user_id, null::uuid, format('activity_drop:%s:%s', d.user_id, to_char(d.monday, 'IYYY-"W"IW')), public.email_now(),
        jsonb_build_object('week_start', to_char(d.monday, 'YYYY-MM-DD'))
    from public.email_types t
    join public.email_activity_drops() d on d.week_end >= t.active_since
    where t.code = 'E-RET-02'
    group by d.user_id, d.monday;
end
$$;
comment on function public.email_ret_02_audience() is 'E-RET-02: the users one of whose projects deployed at most half as often in the last local week as in the one before, and did not recover.';
revoke all on function public.email_ret_02_audience() from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_ret_02_current(ids bigint[])
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
        case when own.low is null then coalesce(own.reason, 'no such project') end,
        case when own.low is null then '{}' else jsonb_build_object(
            'projects', own.low,
            'deployments', own.week,
            'previous_deployments', own.before,
            'project_name', case when jsonb_array_length(own.low) = 1 then own.low -> 0 -> 'name' end,
            'project_id', case when jsonb_array_length(own.low) = 1 then own.low -> 0 -> 'project_id' end
        ) end
    from public.email_outbox o
    cross join (
        select coalesce((t.params ->> 'drop_percent')::numeric, 50) as drop_percent,
            coalesce((t.params ->> 'min_deployments')::integer, 4) as min_deployments
        from public.email_types t where t.code = 'E-RET-02'
    ) k
    left join public.email_preferences f on f.user_id = o.user_id
    cross join lateral (select public.email_zone(f.timezone) as name) zone
    cross join lateral (
        select coalesce(public.email_day(o.payload ->> 'week_start'), public.email_week(split_part(o.dedupe_key, ':', 3)),
            date_trunc('week', o.due_at at time zone zone.name)::date - 7) as monday
    ) w
    cross join lateral (
        select
            jsonb_agg(jsonb_build_object('project_id', p.id, 'name', p.name, 'deployments', p.week, 'previous_deployments', p.before)
                order by p.before - p.week desc, p.name, p.id) filter (where p.reason is null) as low,
            sum(p.week) filter (where p.reason is null) as week,
            sum(p.before) filter (where p.reason is null) as before,
            -- Why the one that deployed most before is none.
            (array_agg(p.reason order by p.before desc, p.id))[1] as reason
        from (
            select p.id, p.name, c.before, c.week, case
                when c.before < k.min_deployments then format('no drop: %s deployments in the week before, fewer than %s', c.before, k.min_deployments)
                when c.week > c.before * k.drop_percent / 100 then format('no drop: %s deployments after %s', c.week, c.before)
                when c.lately > c.before * k.drop_percent / 100 then format('recovered: %s deployments in the last seven days', c.lately)
            end as reason
            from public.projects p
            cross join lateral public.email_drop_counts(p.id, zone.name, w.monday, checked_at) c
            where p.owner_id = o.user_id
        ) p
    ) own
    where o.id = any(ids);
end
$$;
comment on function public.email_ret_02_current(bigint[]) is 'E-RET-02: true while one of the user''s projects that dropped has not recovered; with the deployments of both weeks of each that has not.';
revoke all on function public.email_ret_02_current(bigint[]) from public;

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_drop_counts(uuid, text, date, timestamptz), public.email_activity_drops(), public.email_ret_02_audience(), public.email_ret_02_current(bigint[])'),
    ('select (id, is_active) on public.users'),
    ('select (id, name, owner_id) on public.projects'),
    ('select (project_id, started_at) on public.deployments')
) g (privileges);
