-- What runs by the clock.  One table, email_schedules, whoever runs it: pg_cron, where email_schedule_sync() could make its
-- jobs, or the sidecars, which ask email_run_due_schedule() at every poll.

-- One run ------------------------------------------------------------------------------------------------------------
-- The row is locked first, in a statement of its own: two never run the same schedule at once, and what the second reads
-- is what the first left behind.  A failure undoes the run and not the note about it.
create or replace function public.email_run_schedule(name text, runner text default null) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    schedule record;
    started timestamptz;
    dealt_with integer;
    problem text;
begin
    select s.name, s.runs, s.code into schedule
    from public.email_schedules s
    where s.name = email_run_schedule.name
    for no key update skip locked;
    if not found then
        if not exists (select from public.email_schedules s where s.name = email_run_schedule.name) then
            raise exception 'unknown schedule "%"', email_run_schedule.name
                using hint = 'The known ones are: select name from public.email_schedules order by name;';
        end if;
        return null;
    end if;
    started := clock_timestamp();
    begin
        if schedule.code is null then
            execute format('select public.%I()', schedule.runs) into dealt_with;
        else
            execute format('select public.%I($1)', schedule.runs) into dealt_with using schedule.code;
        end if;
    exception when query_canceled or others then
        problem := sqlstate || ': ' || sqlerrm;
    end;
    update public.email_schedules s set
        last_started_at = public.email_now(),
        last_success_at = case when problem is null then public.email_now() else s.last_success_at end,
        last_duration = clock_timestamp() - started,
        last_rows = case when problem is null then dealt_with else s.last_rows end,
        last_error = problem,
        last_run_by = coalesce(runner, current_user)
    where s.name = schedule.name;
    if problem is not null then
        raise warning 'seqpulse-mailer: schedule "%" failed: %', schedule.name, problem;
    end if;
    return dealt_with;
end
$$;
comment on function public.email_run_schedule(text, text) is
'Runs one schedule now, due or not, and notes in email_schedules how it ended. Answers how many rows it dealt with; null when it failed or is being run by another session at the moment.';
revoke all on function public.email_run_schedule(text, text) from public;

-- The sidecars' share --------------------------------------------------------------------------------------------------
-- A schedule that failed is tried again after five minutes at the earliest.  A last success in the future (a person turned
-- the clock back) counts as none.
create or replace function public.email_run_due_schedule(worker text) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    due text;
begin
    select s.name into due
    from public.email_schedules s
    where s.enabled
    and (
        s.last_success_at is null
        or s.last_success_at <= public.email_now() - s.every * case when s.cron_job_id is null then 1 else 2 end
        or s.last_success_at > public.email_now() + s.every
    )
    and (
        s.last_error is null
        or s.last_started_at <= public.email_now() - least(s.every, interval '5 minutes')
        or s.last_started_at > public.email_now() + s.every
    )
    order by s.last_success_at nulls first, s.name
    limit 1
    for no key update skip locked;
    if due is not null then
        perform public.email_run_schedule(due, worker);
    end if;
    return due;
end
$$;
comment on function public.email_run_due_schedule(text) is
'For a sidecar, at every poll until it answers null: runs one schedule that is due and that no other session is running, and answers its name. Due: the last success is older than its interval, or than twice that where a pg_cron job exists.';
revoke all on function public.email_run_due_schedule(text) from public;

-- pg_cron's share --------------------------------------------------------------------------------------------------------
create or replace function public.email_cron_schema() returns name
language sql stable
set search_path = pg_catalog, pg_temp
as $$
select 'cron'::name where exists (select from pg_catalog.pg_extension e where e.extname = 'pg_cron')
$$;
comment on function public.email_cron_schema() is 'The schema pg_cron keeps its jobs in; null when it is not installed in this database.';
revoke all on function public.email_cron_schema() from public;

create or replace function public.email_schedule_sync() returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    prefix constant text := 'seqpulse-mailer: ';
    schedule record;
    job bigint;
    jobs integer := 0;
    cron name;
    stale bigint;
begin
    if not exists (select from pg_catalog.pg_extension e where e.extname = 'pg_cron') then
        begin
            -- Set where the library is preloaded, and only superusers may read it: no other role could create the extension.
            if current_setting('cron.database_name', true) = current_database() then
                create extension pg_cron;
            end if;
        exception when others then
            raise notice 'pg_cron could not be created: %', sqlerrm;
        end;
    end if;
    cron := public.email_cron_schema();
    if cron is null then
        update public.email_schedules set cron_job_id = null where cron_job_id is not null;
        return 'pg_cron is not installed in this database: the sidecars run the schedules';
    end if;
    if not has_schema_privilege(cron, 'usage') then
        update public.email_schedules set cron_job_id = null where cron_job_id is not null;
        return format('pg_cron is installed, but %s has no USAGE on schema %s: the sidecars run the schedules', current_user, cron);
    end if;

    begin
        for schedule in
            select s.name, s.cron, format('select public.email_run_schedule(%L, %L)', s.name, 'pg_cron') as command
            from public.email_schedules s
            where s.enabled
            order by s.name
        loop
            execute format('select %I.schedule($1, $2, $3)', cron) into job using prefix || schedule.name, schedule.cron, schedule.command;
            update public.email_schedules s set cron_job_id = job where s.name = schedule.name and s.cron_job_id is distinct from job;
            jobs := jobs + 1;
        end loop;
    exception when insufficient_privilege then
        update public.email_schedules set cron_job_id = null where cron_job_id is not null;
        return format('pg_cron is installed, but refuses the jobs of %s (%s): the sidecars run the schedules', current_user, sqlerrm);
    end;
    update public.email_schedules s set cron_job_id = null where not s.enabled and s.cron_job_id is not null;
    -- What is left of schedules that are gone or disabled. Row security shows each role its own jobs only.
    for stale in
        execute format(
            $query$
            select j.jobid from %I.job j
            where j.jobname like $1 and j.username = current_user and j.database = current_database()
            and not exists (select from public.email_schedules s where s.cron_job_id = j.jobid)
            $query$, cron)
        using prefix || '%'
    loop
        execute format('select %I.unschedule($1)', cron) using stale;
    end loop;
    return format('pg_cron runs %s schedules as %s', jobs, current_user);
end
$$;
comment on function public.email_schedule_sync() is
'Makes pg_cron''s jobs match email_schedules (creating the extension where it is preloaded for this database and the role may), and answers in a sentence who runs the schedules now. migrate calls it; call it after editing email_schedules.';
revoke all on function public.email_schedule_sync() from public;

-- SECURITY DEFINER, as its clean-up below: row security shows each role its own jobs only, and they are the migrating role's.
create or replace function public.email_cron_problems() returns table (schedule text, since timestamptz, problem text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    cron name := public.email_cron_schema();
begin
    if cron is null or not has_schema_privilege(cron, 'usage') then
        return query select null::text, null::timestamptz, null::text where false;
        return;
    end if;
    return query execute format(
        $query$
        select s.name, coalesce(r.start_time, r.end_time, public.email_now()),
            case
                when j.jobid is null then 'its pg_cron job is gone: run select public.email_schedule_sync()'
                when not j.active then 'its pg_cron job is not active'
                else 'its last pg_cron job failed: ' || coalesce(r.return_message, 'no message')
            end
        from public.email_schedules s
        left join %1$I.job j on j.jobid = s.cron_job_id
        left join lateral (
            select d.status, d.return_message, d.start_time, d.end_time from %1$I.job_run_details d
            where d.jobid = j.jobid and d.status in ('succeeded', 'failed')
            order by d.runid desc
            limit 1
        ) r on true
        where s.cron_job_id is not null and (j.jobid is null or not j.active or r.status = 'failed')
        $query$, cron);
end
$$;
comment on function public.email_cron_problems() is
'Why pg_cron does not run a schedule it should: one row per schedule whose job is gone, inactive or failed at its last run. No row: nothing is known to be wrong.';
revoke all on function public.email_cron_problems() from public;

-- Cleaning up (our own tables: 76_retention.sql) ------------------------------------------------------------------------
-- pg_cron notes every run for ever; only our own jobs' notes are ours to remove.
create or replace function public.email_cron_cleanup() returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    cron name := public.email_cron_schema();
    removed integer;
begin
    if cron is null or not has_schema_privilege(cron, 'usage') then
        return 0;
    end if;
    execute format(
        $query$
        delete from %I.job_run_details d
        where d.end_time < clock_timestamp() - interval '7 days'
        and d.command like $1
        $query$, cron)
    using 'select public.email\_run\_schedule(%';
    get diagnostics removed = row_count;
    return removed;
end
$$;
comment on function public.email_cron_cleanup() is
'Removes pg_cron''s notes about our own jobs'' runs older than seven days (the real clock: pg_cron writes them); answers how many.';
revoke all on function public.email_cron_cleanup() from public;

-- A sidecar runs them all where pg_cron does not: what each needs, it needs too.
select public.email_grant(g.privileges, g.role_name)
from (values
    ('email_worker', 'execute on function public.email_run_schedule(text, text), public.email_run_due_schedule(text), public.email_replay_errors(timestamptz)'),
    ('email_worker', 'execute on function public.email_cron_schema(), public.email_cron_problems(), public.email_cron_cleanup()'),
    ('email_worker', 'select, update (last_started_at, last_success_at, last_duration, last_rows, last_error, last_run_by) on public.email_schedules'),
    ('email_admin', 'execute on function public.email_run_schedule(text, text), public.email_cron_schema(), public.email_cron_problems(), public.email_schedule_sync()'),
    ('email_admin', 'select, insert, update, delete on public.email_schedules'),
    ('email_reader', 'select (name, runs, code, every, cron, enabled, cron_job_id, last_started_at, last_success_at, last_duration, last_rows, last_run_by) on public.email_schedules')
) g (role_name, privileges);
