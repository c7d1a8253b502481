-- E-RET-04  Inactive for 30 days                                           marketing, capped, priority 36
--
-- cause       scan, daily: the user's last activity (email_last_active) is as old as the first of params.steps (30 days)
-- fact's time the moment the 30 days are full, last activity + 30 days: a user who was inactive that long before
--             active_since is left alone, also by J37; a user who gets there after it is written to
-- when        J30, that moment (the scan finds it within a day of it), and J37. Both rows are made at J30, so that the
--             second one can be seen coming; after an outage both are made as long as the last one would not have expired,
--             and the sequence rule sends only the latest that is due.
-- key         inactive_30d:{user}:{last active day}:J30 and :J37, the UTC date of the last activity: a new lapse is a new
--             sequence
-- still true  no activity on a later day: coming back ends the sequence
-- figures     last_active_at; project_name, project_id (the own project with the latest deployment, else the newest)
-- params      steps
-- reads       as E-RET-03, in whose file the two functions stand that do the work

-- Cause ------------------------------------------------------------------------------------------------------------------
create or replace function public.email_ret_04_audience()
returns table (user_id uuid, project_id uuid, dedupe_key text, run_at timestamptz, payload jsonb)
language plpgsql
set timezone = 'UTC'
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    kind record;
begin
    select t.active_since, t.expires_after, t.params -> 'steps' as steps, min(s.value::interval) as first_step, max(s.value::interval) as last_step
    into kind
    from public.email_types t cross join lateral jsonb_each_text(t.params -> 'steps') s
    where t.code = 'E-RET-04'
    group by t.code;
    return query
    select l.user_id, null::uuid, format('inactive_30d:%s:%s:%s', l.user_id, to_char(l.last_active_at, 'YYYY-MM-DD'), step.name),
        l.last_active_at + step.after,
        jsonb_build_object('step', step.name, 'last_active_day', to_char(l.last_active_at, 'YYYY-MM-DD'))
    from public.email_lapsed('E-RET-04', kind.first_step, kind.last_step + kind.expires_after) l
    cross join (select s.key, s.value::interval from jsonb_each_text(kind.steps) s) step (name, after)
    where l.last_active_at + kind.first_step >= kind.active_since;
end
$$;
comment on function public.email_ret_04_audience() is 'E-RET-04: both letters for users whose last activity is 30 days old, as long as the last one would not have expired.';
revoke all on function public.email_ret_04_audience() from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_ret_04_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select c.id, c.untrue, jsonb_build_object('step', nullif(split_part(o.dedupe_key, ':', 4), '')) || c.context
    from public.email_lapse_current(ids) c
    join public.email_outbox o on o.id = c.id;
end
$$;
comment on function public.email_ret_04_current(bigint[]) is 'E-RET-04: true while the user has not come back.';
revoke all on function public.email_ret_04_current(bigint[]) from public;

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_ret_04_audience(), public.email_ret_04_current(bigint[])')
) g (privileges);
