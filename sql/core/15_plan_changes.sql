-- Plan changes: the application has no history of projects.plan, so a trigger records each change as a signal
-- (plan_changed {from, to}), which the KPI views count as upgrades.
--
-- cause       projects: plan changes
-- fact        {user_id, project_id, from, to, at}
-- reads       projects (id, owner_id, plan), through the trigger only

create or replace function public.email_plan_changes_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.email_signals (kind, user_id, project_id, payload, occurred_at)
    select
        'plan_changed', (f ->> 'user_id')::uuid, (f ->> 'project_id')::uuid,
        jsonb_build_object('from', coalesce(f ->> 'from', public.email_missing('from')), 'to', coalesce(f ->> 'to', public.email_missing('to'))),
        (f ->> 'at')::timestamptz
    from jsonb_array_elements(facts) as f;
end
$$;
comment on function public.email_plan_changes_enqueue(jsonb) is 'Records changes of projects.plan as signals. facts: [{user_id, project_id, from, to, at}].';
revoke all on function public.email_plan_changes_enqueue(jsonb) from public;

create or replace function public.email_plan_changes_trigger() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
    facts jsonb;
begin
    -- Grouped rather than joined: a plan made for one row must also do for a bulk update.
    facts := (
        select jsonb_agg(jsonb_build_object('user_id', c.owner_id, 'project_id', c.id, 'from', c.old_plan, 'to', c.new_plan, 'at', public.email_now()))
        from (
            select v.id, max(v.owner_id::text) as owner_id, max(v.old_plan) as old_plan, max(v.new_plan) as new_plan
            from (
                select n.id, n.owner_id, null as old_plan, n.plan as new_plan from new_rows n
                union all
                select o.id, null, o.plan, null from old_rows o
            ) v
            group by v.id
            having max(v.old_plan) <> max(v.new_plan)
        ) c
    );
    if facts is not null then
        perform public.email_plan_changes_enqueue(facts);
    end if;
    return null;
exception when others then
    begin
        perform public.email_guard('email_plan_changes', null, coalesce(facts, (
            select jsonb_agg(jsonb_build_object('project_id', to_jsonb(n) -> 'id')) from new_rows n
        )), sqlstate, sqlerrm);
    exception when others then
        raise warning 'seqpulse-mailer: a plan change was not recorded: %', sqlerrm;
    end;
    return null;
end
$$;
comment on function public.email_plan_changes_trigger() is 'After projects are updated: records changes of plan. Never fails the application''s statement.';
revoke all on function public.email_plan_changes_trigger() from public;

create or replace trigger email_plan_changes after update on public.projects
referencing old table as old_rows new table as new_rows
for each statement execute function public.email_plan_changes_trigger();
