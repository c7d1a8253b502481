-- E-RET-03  Inactive for 14 days                                           marketing, capped, priority 35
--
-- cause       scan, daily: the user's last activity (email_last_active) is params.inactive (14 days) old
-- fact's time the moment the 14 days are full, last activity + 14 days: a user who was inactive that long before
--             active_since is left alone, a user who gets there after it is written to
-- when        J14, that moment; the scan finds it within a day of it. After an outage it still catches up with what would
--             not have expired.
-- key         inactive_14d:{user}:{last active day}, the UTC date of the last activity: a new lapse has a new key. When the last
--             activity is deleted (with its project, say), the one before it is no new lapse.
-- still true  no activity on a later day
-- figures     last_active_at; project_name, project_id (the own project with the latest deployment, else the newest)
-- params      inactive
-- reads       users (id, is_active, created_at), projects (id, name, owner_id, created_at), deployments (project_id, started_at)
--
-- The functions that E-RET-04 shares stand here.

-- Shared with E-RET-04 ---------------------------------------------------------------------------------------------------
-- Only the end of each user's history is read: one step into an index per source and project (email_last_active).
create or replace function public.email_lapsed(code text, shortest interval, longest interval)
returns table (user_id uuid, last_active_at timestamptz)
language plpgsql
set timezone = 'UTC'
set jit = off
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    checked_at timestamptz := public.email_now();
begin
    return query
    select u.id, a.last_active_at
    from public.users u
    cross join lateral public.email_last_active(u.id, checked_at) a
    where coalesce(u.is_active, true) and u.created_at <= checked_at - shortest
    and a.last_active_at <= checked_at - shortest and a.last_active_at > checked_at - longest
    -- A person's letters, one step into an index each; asked last, and of those in the range alone.
    and not exists (
        select from (
            select o.dedupe_key from public.email_outbox o where o.user_id = u.id and o.email_type = email_lapsed.code
            union all
            select d.dedupe_key from public.email_deliveries d where d.user_id = u.id and d.email_type = email_lapsed.code
            offset 0
        ) letter
        where public.email_day(split_part(letter.dedupe_key, ':', 3)) > a.last_active_at::date
    );
end
$$;
comment on function public.email_lapsed(text, interval, interval) is
'The active accounts whose last activity is at least shortest and less than longest ago, with its time; without those to whom a letter of this code is about a later lapse.';
revoke all on function public.email_lapsed(text, interval, interval) from public;

create or replace function public.email_lapse_current(ids bigint[])
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
        case when a.last_active_at >= coalesce((lapse.day + 1)::timestamptz, o.due_at - lapse.inactive + interval '1 microsecond')
            then 'active again since ' || to_char(a.last_active_at, 'YYYY-MM-DD') end,
        jsonb_build_object('last_active_at', a.last_active_at, 'project_name', p.name, 'project_id', p.id)
    from public.email_outbox o
    cross join lateral (
        select coalesce(public.email_day(o.payload ->> 'last_active_day'), public.email_day(split_part(o.dedupe_key, ':', 3))) as day,
            -- For a row that names no day, such as one inserted by hand: how long the letter says that nothing happened.
            coalesce((t.params ->> 'inactive')::interval, (select min(s.value::interval) from jsonb_each_text(t.params -> 'steps') s), '14 days') as inactive
        from public.email_types t
        where t.code = o.email_type
    ) lapse
    cross join lateral public.email_last_active(o.user_id, checked_at) a
    left join lateral (
        select p.id, p.name
        from public.projects p
        left join lateral (
            select d.started_at from public.deployments d where d.project_id = p.id order by d.started_at desc limit 1
        ) latest on true
        where p.owner_id = o.user_id
        order by latest.started_at desc nulls last, p.created_at desc, p.id
        limit 1
    ) p on true
    where o.id = any(ids);
end
$$;
comment on function public.email_lapse_current(bigint[]) is
'E-RET-03 and E-RET-04: true while the user was not active on a day after the one in the key (without one: for as long as the letter is about, until it was due); with their last activity and the project to come back to.';
revoke all on function public.email_lapse_current(bigint[]) from public;

-- Cause ------------------------------------------------------------------------------------------------------------------
create or replace function public.email_ret_03_audience()
returns table (user_id uuid, project_id uuid, dedupe_key text, run_at timestamptz, payload jsonb)
language plpgsql
set timezone = 'UTC'
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    kind record;
begin
    select t.active_since, t.expires_after, coalesce(t.params ->> 'inactive', '14 days')::interval as inactive into kind
    from public.email_types t where t.code = 'E-RET-03';
    return query
    select l.user_id, null::uuid, format('inactive_14d:%s:%s', l.user_id, to_char(l.last_active_at, 'YYYY-MM-DD')),
        l.last_active_at + kind.inactive,
        jsonb_build_object('last_active_day', to_char(l.last_active_at, 'YYYY-MM-DD'))
    from public.email_lapsed('E-RET-03', kind.inactive, kind.inactive + kind.expires_after) l
    where l.last_active_at + kind.inactive >= kind.active_since;
end
$$;
comment on function public.email_ret_03_audience() is 'E-RET-03: users whose last activity is 14 days old, as long as the letter would not have expired.';
revoke all on function public.email_ret_03_audience() from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_ret_03_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query select c.* from public.email_lapse_current(ids) c;
end
$$;
comment on function public.email_ret_03_current(bigint[]) is 'E-RET-03: true while the user has not come back.';
revoke all on function public.email_ret_03_current(bigint[]) from public;

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_lapsed(text, interval, interval), public.email_lapse_current(bigint[]), public.email_ret_03_audience(), public.email_ret_03_current(bigint[])'),
    ('select (id, is_active, created_at) on public.users'),
    ('select (id, name, owner_id, created_at) on public.projects'),
    ('select (project_id, started_at) on public.deployments')
) g (privileges);
