-- What `doctor` asks the database; a DBA may ask it too: select * from public.email_doctor().

-- One check after the other: long, because it is read as that list.
create or replace function public.email_doctor() returns table (check_name text, status text, detail text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    health record;
    cron_here boolean := exists (select from pg_catalog.pg_extension e where e.extname = 'pg_cron');
begin
    select * into health from public.email_health;

    return query select 'armed',
        case when health.armed then 'ok' else 'fail' end,
        case when health.armed then 'this is the database to send from'
            else 'nothing is sent: this looks like a restored or renamed copy; if it is the one to send from: select public.email_arm()' end;

    return query select 'sending',
        case when health.paused then 'fail' else 'ok' end,
        case when health.paused then 'paused: ' || coalesce(health.paused_reason, 'no reason given')
            || coalesce((select format('; one message tries again at %s UTC', to_char(s.probe_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')) from public.email_settings s where s.paused_by = 'provider'), '')
            || '; to start again: select public.email_resume()' else 'not paused' end;

    return query select 'requests being resolved',
        case when count(*) filter (where b.mismatched_at is not null) > 0 then 'fail' when count(*) filter (where b.first_sent_at < clock_timestamp() - interval '1 hour') > 0 then 'warn' else 'ok' end,
        case when count(*) = 0 then 'none' else format('%s requests, the oldest sent at %s UTC, are being resolved', count(*), to_char(min(b.first_sent_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI'))
            || coalesce('; ' || nullif(count(*) filter (where b.mismatched_at is not null), 0) || ' wait for a sidecar of another version or other settings, see email_batches.settings and mismatched_by', '') end
    from public.email_batches b
    where b.state = 'unknown';

    return query select 'rate',
        case when bool_or(r.limited_at > clock_timestamp() - interval '10 minutes') then 'warn' else 'ok' end,
        coalesce(string_agg(format('%s: at most %s requests a second', r.provider, least(r.ceiling, coalesce(r.provider_limit, r.ceiling)))
            || coalesce(', last refused as too many at ' || to_char(r.limited_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC', ''), '; ' order by r.provider), 'no request was counted yet')
    from public.email_rates r;

    return query select 'paused types',
        case when health.paused_types is null then 'ok' else 'warn' end,
        coalesce(array_to_string(health.paused_types, ', '), 'none');

    return query select 'sidecars',
        case when health.workers_alive > 0 then 'ok' when exists (select from public.email_workers w where w.state <> 'stopped') then 'fail' else 'warn' end,
        case when health.workers_alive > 0 then format('%s alive', health.workers_alive) else 'none was seen in the last 30 seconds: start "seqpulse-mailer run"' end;

    return query select 'lag',
        case when health.lag_seconds > 60 then 'fail' else 'ok' end,
        format('%s due, the oldest for %s s; %s in flight', health.due, health.lag_seconds, health.in_flight);

    return query select 'failed letters',
        case when health.failed > 0 then 'warn' else 'ok' end,
        case when health.failed > 0 then format('%s; see: select id, email_type, reason, last_error from public.email_outbox where status = ''failed''', health.failed) else 'none' end;

    return query select 'unknown letters',
        case when count(*) > 0 then 'warn' else 'ok' end,
        case when count(*) > 0 then format('%s letters may or may not have gone out; see: select * from public.email_unknown_outcomes', count(*)) else 'none' end
    from public.email_unknown_outcomes u;

    return query select 'trigger errors',
        case when health.open_trigger_errors > 0 then 'fail' else 'ok' end,
        case when health.open_trigger_errors > 0 then format('%s facts could not be enqueued; see email_trigger_errors, then: select public.email_replay_errors()', health.open_trigger_errors) else 'none' end;

    return query select 'engine texts',
        case when count(*) > 0 then 'warn' else 'ok' end,
        case when count(*) > 0 then format('%s texts of the application''s engine have no French and are left out of letters; see: select * from public.email_unknown_engine_texts, then insert into public.email_engine_texts (source, french)', count(*))
            else 'all that letters met have their French' end
    from public.email_unknown_engine_texts u;

    -- Only where the application has a scheduler.
    return query select 'hand-over',
        case when s.handover and s.jobs_moved_at is null then 'warn' else 'ok' end,
        case
            when not s.handover then 'switched off (email_settings.handover): the application sends its own jobs'
            when s.jobs_moved_at is null then 'the application''s pending jobs were not moved yet: run migrate'
            else format('emails are taken out of scheduled_jobs since %s', to_char(s.jobs_moved_at, 'YYYY-MM-DD HH24:MI'))
        end
    from public.email_settings s
    where exists (select from public.email_sql_files f where 'trigger email_handover' = any(f.objects));

    return query select 'triggers',
        case when bool_or(f.fingerprint <> public.email_fingerprint(f.objects)) then 'fail' else 'ok' end,
        coalesce(
            string_agg(f.path, ', ' order by f.path) filter (where f.fingerprint <> public.email_fingerprint(f.objects)) || ': changed, dropped or disabled by hand since migrate',
            count(*)::text || ' SQL files installed and unchanged')
    from public.email_sql_files f;

    return query select 'application',
        case when bool_or(a.attname is null) then 'fail' else 'ok' end,
        coalesce(
            string_agg(format('%s.%s is gone (%s)', n.table_name, n.column_name, n.needed_for), '; ' order by n.table_name, n.column_name) filter (where a.attname is null)
                || ': bring the file in sql/triggers that reads it up to date, then: select public.email_replay_errors()',
            format('the %s columns we read are there', count(*)))
    from public.email_application_columns() n
    left join pg_catalog.pg_attribute a
        on a.attrelid = to_regclass('public.' || n.table_name) and a.attname = n.column_name and not a.attisdropped;

    return query select 'roles',
        case when count(r.rolname) = 4 then 'ok' else 'warn' end,
        coalesce('missing: ' || string_agg(w.name, ', ') filter (where r.rolname is null) || '; a superuser creates them with "create role NAME nologin", then run migrate again', 'all four exist')
    from unnest(array['email_worker', 'email_reader', 'email_admin', 'email_app']) w (name)
    left join pg_catalog.pg_roles r on r.rolname = w.name;

    return query select 'schedules',
        case
            when bool_or(s.last_success_at < public.email_now() - 3 * s.every) then 'fail'
            when bool_or(s.last_success_at is null or s.last_error is not null) then 'warn'
            else 'ok'
        end,
        case when count(s.last_success_at) = 0 then 'none has run yet: a sidecar runs them when it starts, pg_cron when they are due' else coalesce(
            string_agg(
                s.name || case when s.last_success_at is null then ' has not run yet' else ' ran well last at ' || to_char(s.last_success_at, 'YYYY-MM-DD HH24:MI') end
                    || coalesce(' (' || s.last_error || ')', ''), '; ' order by s.name)
                filter (where s.last_success_at is null or s.last_error is not null or s.last_success_at < public.email_now() - 3 * s.every),
            format('%s, all in time', count(*))) end
    from public.email_schedules s
    where s.enabled;

    return query select 'pg_cron',
        case when p.problems is null then 'ok' else 'warn' end,
        case
            when not cron_here then 'not installed: the sidecar runs the schedules itself'
            when p.problems is not null then p.problems || '; meanwhile the sidecar runs them'
            when exists (select from public.email_schedules s where s.cron_job_id is not null) then 'installed, runs the schedules'
            else 'installed, but the role that migrates may not use it (USAGE on schema cron): the sidecar runs the schedules itself'
        end
    from (select string_agg(c.schedule || ': ' || c.problem, '; ' order by c.schedule) as problems from public.email_cron_problems() c) p;
end
$$;
comment on function public.email_doctor() is 'One row per thing that can be wrong with an installation: ok, warn or fail, and what to do.';
revoke all on function public.email_doctor() from public;
select public.email_grant('execute on function public.email_doctor(), public.email_fingerprint(text[])', r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name);
select public.email_grant('select on public.email_trigger_errors', 'email_worker');
