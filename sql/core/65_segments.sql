-- The six segments (docs/rules.md#segments).  The view reads the application's tables through a function, so that no
-- view of ours depends on a column of theirs (docs/rules.md#good-neighbour); SECURITY DEFINER, so that a role that may read the segments
-- needs no right on those tables.

create or replace function public.email_segments_now()
returns table (user_id uuid, project_id uuid, segment text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set jit = off
as $$
#variable_conflict use_column
declare
    checked_at timestamptz := public.email_now();
    month_start timestamptz := date_trunc('month', checked_at);
    active_since timestamptz := checked_at - coalesce(
        (select (t.params ->> 'inactive')::interval from public.email_types t where t.code = 'E-RET-03'), interval '14 days');
begin
    return query
    with people as materialized (
        select u.id, u.created_at, u.twofa_enabled, a.last_active_at,
            exists (select from public.projects p where p.owner_id = u.id and p.plan <> 'free') as pays
        from public.users u
        cross join lateral public.email_last_active(u.id, checked_at) a
        where coalesce(u.is_active, true)
    )
    select p.id, null::uuid, 'new_user' from people p where p.created_at > checked_at - interval '14 days'
    union all
    select p.id, null, 'free_active' from people p where not p.pays and p.last_active_at > active_since
    union all
    select p.owner_id, p.id, 'free_near_limit'
    from (
        select d.project_id
        from public.deployments d
        where d.started_at >= month_start and d.started_at <= checked_at
        group by d.project_id
        having count(*) >= (select (t.params ->> 'threshold')::integer from public.email_types t where t.code = 'E-CONV-01')
    ) used
    join public.projects p on p.id = used.project_id
    join people o on o.id = p.owner_id
    where p.plan = 'free'
    union all
    select p.owner_id, p.id, 'pro_active'
    from public.projects p
    join people o on o.id = p.owner_id
    where p.plan <> 'free'
    and (
        p.created_at > active_since
        or exists (select from public.deployments d where d.project_id = p.id and d.started_at > active_since and d.started_at <= checked_at)
        or exists (
            select from public.email_signals s
            where s.project_id = p.id and s.kind = 'verdict_viewed' and s.occurred_at > active_since and s.occurred_at <= checked_at
        )
    )
    union all
    select p.id, null, 'at_risk' from people p where p.last_active_at <= active_since
    union all
    select d.user_id, d.project_id, 'at_risk' from public.email_activity_drops() d
    union all
    select p.id, null, 'security_sensitive'
    from people p
    where p.twofa_enabled
    or exists (
        select from public.email_deliveries j
        where j.user_id = p.id and j.email_type like 'E-SEC-%' and j.created_at > checked_at - interval '90 days'
    );
end
$$;
comment on function public.email_segments_now() is
'Who is in which segment now, inactive accounts aside. new_user, free_active and security_sensitive are about a user (project_id null), free_near_limit and pro_active about a project and its owner, at_risk about a user (14 days without activity) or a project (E-RET-02).';
revoke all on function public.email_segments_now() from public;

drop view if exists public.email_segments;
create view public.email_segments as
select s.user_id, s.project_id, s.segment from public.email_segments_now() s;
comment on view public.email_segments is
'The specification''s six segments as they are now, active meaning in the last 14 days (E-RET-03''s params.inactive). It reads the whole of users and projects: for campaigns and analyses, not for every request.';
comment on column public.email_segments.user_id is 'The user, or the project''s owner.';
comment on column public.email_segments.project_id is 'The project it is about; null when it is about the user.';
comment on column public.email_segments.segment is
'new_user: signed up less than 14 days ago. free_active: active, and no project of theirs is paid for. free_near_limit: a free project at 80 % of its quota or more (E-CONV-01''s threshold). pro_active: a paid project with a deployment, a verdict viewed or its creation in the last 14 days. at_risk: 14 days without activity, or E-RET-02 is true. security_sensitive: two-factor authentication on, or an E-SEC letter in 90 days.';

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_reader', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_segments_now()'),
    ('select on public.email_segments')
) g (privileges);
