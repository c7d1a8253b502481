-- email_schedules: who runs what, when, and what is noted; the clean-up. What pg_cron does with them is tested in tests/it/cron.rs.
begin;
\ir support/scans.sql
set client_min_messages = error; -- a failing schedule warns
select plan(49);

select results_eq(
    $$ select name, runs, code, every, enabled from email_schedules order by every, name $$,
    $$ values ('clean up outbox', 'email_cleanup', null, interval '5 minutes', true), ('replay errors', 'email_replay_errors', null, '15 minutes', true),
        ('scan E-CONV-01', 'email_scan', 'E-CONV-01', '15 minutes', true), ('scan E-CONV-02', 'email_scan', 'E-CONV-02', '15 minutes', true),
        ('clean up events', 'email_cleanup_events', null, '1 hour', true), ('erase contexts', 'email_erase_contexts', null, '1 hour', true),
        ('scan E-CONV-05', 'email_scan', 'E-CONV-05', '1 hour', true), ('scan E-RET-01', 'email_scan', 'E-RET-01', '1 hour', true),
        ('clean up pg_cron', 'email_cron_cleanup', null, '1 day', true), ('clean up slots', 'email_cleanup_slots', null, '1 day', true), ('scan E-ADV-01', 'email_scan', 'E-ADV-01', '1 day', true),
        ('scan E-RET-02', 'email_scan', 'E-RET-02', '1 day', true), ('scan E-RET-03', 'email_scan', 'E-RET-03', '1 day', true), ('scan E-RET-04', 'email_scan', 'E-RET-04', '1 day', true) $$,
    'conversion every 15 minutes, retention daily, local-time mail hourly, and the house-keeping'
);
select is_empty(
    $$ select s.name from email_schedules s where to_regprocedure('public.' || s.runs || case when s.code is null then '()' else '(text)' end) is null
       and to_regprocedure('public.' || s.runs || '(timestamptz)') is null $$,
    'what they run exists'
);
select is((select min((params ->> 'ahead')::interval) from email_types where params ? 'ahead') > 2 * interval '1 hour', true,
    'local-time mail is enqueued further ahead than its scan may be late');

-- One run ----------------------------------------------------------------------------------------------------------------
select pg_temp.at('2026-03-20 06:20Z');
select pg_temp.person('lapsed@example.com', '2026-03-05Z');
select is(email_run_schedule('scan E-RET-03', 'me'), 1, 'a schedule is run, and answers its rows');
select results_eq(
    $$ select last_started_at, last_success_at, last_duration > '0', last_rows, last_error, last_run_by from email_schedules where name = 'scan E-RET-03' $$,
    $$ values (timestamptz '2026-03-20 06:20Z', timestamptz '2026-03-20 06:20Z', true, 1, null::text, 'me') $$,
    'which is noted, by email_now()'
);
select is(email_run_schedule('scan E-RET-03'), 0, 'due or not, it is run when asked for');
select is((select last_run_by from email_schedules where name = 'scan E-RET-03'), current_user::text, 'by whoever asks');
select throws_ok($$ select email_run_schedule('nonsense') $$, 'P0001', 'unknown schedule "nonsense"', 'an unknown one is an error');

-- What a sidecar does at a poll.
create function pg_temp.due() returns setof text language plpgsql as $$
declare
    name text;
begin
    loop
        name := public.email_run_due_schedule('sidecar');
        exit when name is null;
        return next name;
    end loop;
end $$;

-- A failure ----------------------------------------------------------------------------------------------------------------
savepoint s;
alter table users rename column is_active to active; -- the application's own ALTER TABLE
select pg_temp.at('2026-03-20 07:00Z');
select is(email_run_schedule('scan E-RET-03', 'me'), null, 'a schedule that fails answers null');
select results_eq(
    $$ select last_started_at, last_success_at, last_rows, last_error ~ '^42703: ' from email_schedules where name = 'scan E-RET-03' $$,
    $$ values (timestamptz '2026-03-20 07:00Z', timestamptz '2026-03-20 06:20Z', 0, true) $$,
    'and its error is noted; the last success stays'
);
rollback to s;
-- Half-done work of a failing run is undone.
create function public.email_test_half() returns integer language plpgsql as $$
begin
    perform public.email_enqueue('E-TRX-01', gen_random_uuid(), 'half');
    raise exception 'no further';
end $$;
insert into email_schedules (name, runs, every, cron) values ('half', 'email_test_half', '1 hour', '0 * * * *');
select email_run_schedule('half');
select is((select count(*) from email_outbox where dedupe_key = 'half'), 0::bigint, 'what a failing run did is undone');
select is((select last_error from email_schedules where name = 'half'), 'P0001: no further', 'what it said is kept');
rollback to s;
create function public.email_test_slow() returns integer language sql as $$ select 1 from pg_sleep(60) $$;
insert into email_schedules (name, runs, every, cron) values ('slow', 'email_test_slow', '1 hour', '0 * * * *');
set local statement_timeout = '200ms';
select email_run_schedule('slow');
set local statement_timeout = 0;
select is((select last_error ~ '^57014: ' from email_schedules where name = 'slow'), true, 'a run that was cancelled is noted too');
rollback to s;

-- What is due for a sidecar ---------------------------------------------------------------------------------------------------
select pg_temp.at('2026-03-20 06:20Z');
update email_schedules set last_success_at = null, last_started_at = null;
select is((select count(*) from pg_temp.due()), (select count(*) from email_schedules), 'after installing everything is due once');
select is_empty($$ select pg_temp.due() $$, 'and then nothing');
select pg_temp.at('2026-03-20 06:24:59Z');
select is_empty($$ select pg_temp.due() $$, 'before their interval is over nothing is due');
select pg_temp.at('2026-03-20 06:34:59Z');
select results_eq($$ select pg_temp.due() $$, $$ values ('clean up outbox') $$, 'without pg_cron the 5-minute one is due after 5 minutes');
select pg_temp.at('2026-03-20 06:35Z');
select results_eq($$ select pg_temp.due() $$, $$ values ('replay errors'), ('scan E-CONV-01'), ('scan E-CONV-02') $$, 'the 15-minute ones are due after 15 minutes');
select pg_temp.at('2026-03-20 07:20Z');
select is((select array_agg(d) from pg_temp.due() d where d ~ 'RET-01|CONV-05'), array['scan E-CONV-05', 'scan E-RET-01'], 'the hourly ones after an hour');
update email_schedules set cron_job_id = 1 where code = 'E-RET-01';
select pg_temp.at('2026-03-20 09:19:59Z');
select is((select array_agg(d) from pg_temp.due() d where d ~ 'RET-01|CONV-05'), array['scan E-CONV-05'], 'where pg_cron has the job a sidecar waits for twice the interval');
select pg_temp.at('2026-03-20 09:20Z');
select results_eq($$ select pg_temp.due() $$, $$ values ('scan E-RET-01') $$, 'and then takes over');
select pg_temp.at('2026-03-21 06:20Z');
update email_schedules set enabled = false where code = 'E-RET-02';
select is((select array_agg(d) from pg_temp.due() d where d ~ 'RET-0[234]|ADV|pg_cron'), array['clean up pg_cron', 'scan E-ADV-01', 'scan E-RET-03', 'scan E-RET-04'], 'the daily ones after a day; not a disabled one');
select pg_temp.at('2026-03-19 00:00Z');
select is((select count(*) from pg_temp.due()), (select count(*) from email_schedules where enabled), 'the clock turned back: a success in the future counts as none');
rollback to s;
update email_schedules set last_success_at = email_now(), last_started_at = email_now();
alter table users rename column is_active to active;
select pg_temp.at('2026-03-21 06:20Z');
select is((select array_agg(d) from pg_temp.due() d where d ~ 'RET-03'), array['scan E-RET-03'], 'a schedule that fails is tried,');
select is((select count(*) from email_schedules where last_error is not null), 8::bigint, '(all that need the column fail, the others do not)');
select is_empty($$ select pg_temp.due() $$, 'not again at once,');
select pg_temp.at('2026-03-21 06:25Z');
select ok('scan E-RET-03' in (select pg_temp.due()), 'but five minutes later');
alter table users rename column active to is_active;
select pg_temp.at('2026-03-21 06:30Z');
select ok('scan E-RET-03' in (select pg_temp.due()), 'until it');
select is((select last_error from email_schedules where code = 'E-RET-03'), null, 'succeeds');
rollback to s;

-- A sidecar may do all this, and nothing else ----------------------------------------------------------------------------------
update email_schedules set last_success_at = null;
select is(pg_temp.as_role('email_worker', $$ select string_agg(public.email_run_due_schedule('sidecar'), ',') from generate_series(1, 20) $$) like '%scan E-RET-04', true, 'email_worker runs them all');
select is_empty($$ select name, last_error from email_schedules where last_error is not null $$, 'without an error');
insert into email_trigger_errors (source, email_type, error, row_data)
select 'users', 'E-TRX-01', 'test', jsonb_build_object('user_id', gen_random_uuid(), 'created_at', email_now());
select is(pg_temp.as_role('email_worker', $$ select public.email_run_schedule('replay errors') $$), '1', 'it enqueues again what a trigger missed');
select is(pg_temp.as_role('email_worker', $$ update public.email_schedules set cron = '* * * * *' $$), '42501', 'it may not change a schedule');
rollback to s;

-- pg_cron is not here ------------------------------------------------------------------------------------------------------------
update email_schedules set cron_job_id = 7;
select matches(email_schedule_sync(), case when email_cron_schema() is null then '^pg_cron is not installed' else '^pg_cron runs' end, 'migrate asks who runs the schedules');
select is((select count(*) from email_schedules where cron_job_id = 7), 0::bigint, 'a job that is gone is forgotten');
select is(email_cron_cleanup(), 0, 'there are no notes of pg_cron to remove');
select is_empty($$ select * from email_cron_problems() $$, 'and no complaints about it');
rollback to s;

-- What doctor says ----------------------------------------------------------------------------------------------------------------
create function pg_temp.diagnosis() returns text language sql as $$ select d.status || ': ' || d.detail from public.email_doctor() d where d.check_name = 'schedules' $$;
update email_schedules set last_success_at = null, last_error = null;
select is(pg_temp.diagnosis(), 'warn: none has run yet: a sidecar runs them when it starts, pg_cron when they are due', 'doctor: after installing');
update email_schedules set last_success_at = email_now();
select is(pg_temp.diagnosis(), (select format('ok: %s, all in time', count(*)) from email_schedules), 'doctor: when all is well');
update email_schedules set last_error = '42703: no such column' where code = 'E-RET-03';
select is(pg_temp.diagnosis(), format('warn: scan E-RET-03 ran well last at %s (42703: no such column)', to_char(email_now(), 'YYYY-MM-DD HH24:MI')), 'doctor: when one failed');
update email_schedules set last_error = null, last_success_at = email_now() - interval '46 minutes' where code = 'E-CONV-01';
select matches(pg_temp.diagnosis(), '^fail: scan E-CONV-01 ran well last at', 'doctor: when nobody runs one any more');
update email_schedules set enabled = false where code = 'E-CONV-01';
update email_schedules set last_error = null;
select is(pg_temp.diagnosis(), (select format('ok: %s, all in time', count(*) - 1) from email_schedules), 'doctor: a disabled one is not missed');
rollback to s;

-- The clean-up ---------------------------------------------------------------------------------------------------------------------
delete from email_outbox;
insert into email_outbox (email_type, user_id, dedupe_key, status, reason, last_error, finished_at)
select 'E-TRX-01', gen_random_uuid(), v.key, v.status, v.reason, v.error, email_now() - v.age
from (values ('sent old', 'sent', null, null, interval '7 days 1 second'), ('sent young', 'sent', null, null, '6 days 23:59:59'),
    ('suppressed old', 'suppressed', 'opted out', null, '8 days'), ('suppressed young', 'suppressed', 'opted out', null, '6 days'),
    ('failed old', 'failed', null, 'no', '91 days'), ('failed middle', 'failed', null, 'no', '89 days')) v (key, status, reason, error, age);
insert into email_outbox (email_type, user_id, dedupe_key, run_at) values ('E-TRX-01', gen_random_uuid(), 'queued', email_now() - interval '1 year');
insert into email_deliveries (user_id, email_type, dedupe_key, status) values (gen_random_uuid(), 'E-TRX-01', 'sent old', 'sent');
insert into email_trigger_errors (source, error, occurred_at, replayed_at) values ('test', 'made up for long ago', email_now() - interval '100 days', email_now() - interval '91 days');
insert into email_trigger_errors (source, error, occurred_at) values ('test', 'open', email_now() - interval '100 days');
select is(email_cleanup(), 3, 'what ended long enough ago goes');
select set_eq($$ select dedupe_key from email_outbox $$, array['sent young', 'suppressed young', 'failed middle', 'queued'],
    'sent and suppressed after 7 days, failed after 90, what waits never');
select results_eq(
    $$ select dedupe_key::text, status::text, payload_json ->> 'reason', error_message from email_deliveries order by 1 $$,
    $$ values ('failed old', 'failed', null, 'no'), ('sent old', 'sent', null, null), ('suppressed old', 'suppressed', 'opted out', null) $$,
    'the journal remembers every key, also of what ended without it'
);
select is(email_enqueue('E-TRX-01', gen_random_uuid(), 'suppressed old'), null, 'so that none is ever enqueued again');
select results_eq($$ select error from email_trigger_errors $$, $$ values ('open') $$, 'errors that were made up for go as well, open ones stay');
update email_settings set retention_sent = '1 day', retention_failed = '2 days';
select is(email_cleanup(), 3, 'a DBA tunes both');
select is(email_cleanup(), 0, 'and then there is nothing left to do');

select * from finish();
rollback;
