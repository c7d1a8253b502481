-- The application changes its own tables as if we were not there (docs/rules.md#good-neighbour), and we say which letters feel it.
begin;
\ir support/fixtures.sql
select plan(20);

-- The list doctor goes by ------------------------------------------------------------------------------------------------
select is_empty(
    $$ select n.table_name || '.' || n.column_name from email_application_columns() n
       where not exists (select from pg_attribute a where a.attrelid = to_regclass('public.' || n.table_name) and a.attname = n.column_name) $$,
    'every column of the list exists in the application''s schema'
);
select is_empty(
    $$ select c.relname || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
       where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname not like 'email\_%' and has_column_privilege('email_worker', c.oid, a.attnum, 'select')
       -- Not every application has a scheduler: without it the letters lack one line.
       and not (c.relname = 'scheduled_jobs' and a.attname in ('deployment_id', 'job_type', 'status', 'scheduled_at', 'last_error'))
       and not exists (select from email_application_columns() n where n.table_name = c.relname and n.column_name = a.attname) $$,
    'a sidecar may read no other'
);
create function pg_temp.application() returns text language sql as $$ select d.status || ': ' || d.detail from public.email_doctor() d where d.check_name = 'application' $$;
select is(pg_temp.application(), (select format('ok: the %s columns we read are there', count(*)) from email_application_columns()), 'doctor: all is well');

-- Every one of them may go: the statement is the application's, and doctor names the column.
create function pg_temp.without(relation text, field text) returns text language plpgsql as $$
declare
    said text;
begin
    execute format('alter table public.%I drop column %I cascade', relation, field);
    said := pg_temp.application();
    raise exception '%', said using errcode = 'P0099';
exception when sqlstate 'P0099' then
    return sqlerrm;
end $$;
select is_empty(
    $$ select n.table_name || '.' || n.column_name from email_application_columns() n
       where position(format('fail: %s.%s is gone (', n.table_name, n.column_name) in pg_temp.without(n.table_name, n.column_name)) = 0 $$,
    'doctor names whichever is gone'
);

-- Nothing else is needed -----------------------------------------------------------------------------------------------------
savepoint whole;
do $$
declare
    superfluous record;
begin
    for superfluous in
        select c.oid::regclass as relation, a.attname as field
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname not like 'email\_%'
        -- The hand-over from the application's own scheduler reads its jobs, where there are any.
        and c.relname <> 'scheduled_jobs'
        and not exists (select from public.email_application_columns() n where n.table_name = c.relname and n.column_name = a.attname)
    loop
        execute format('alter table %s drop column %I cascade', superfluous.relation, superfluous.field);
    end loop;
end
$$;
update public.email_types set active_since = now() - interval '90 days';
insert into public.users (id, name, email, created_at) values
    ('00000000-0000-4000-8000-000000000001', 'Nassir Martin', 'nassir@example.com', now() - interval '70 days'),
    ('00000000-0000-4000-8000-000000000002', 'Awa Diop', 'awa@example.com', now());
insert into public.projects (id, owner_id, name, envs, created_at) values
    ('00000000-0000-4000-8000-000000000011', '00000000-0000-4000-8000-000000000001', 'Shop', '{prod}', now() - interval '69 days'),
    ('00000000-0000-4000-8000-000000000012', '00000000-0000-4000-8000-000000000002', 'Empty', '{prod}', now());
insert into public.deployments (project_id, deployment_number, state, started_at, env)
select '00000000-0000-4000-8000-000000000011', n, case n when 60 then 'running' else 'finished' end, now() - (60 - n) * interval '1 day', 'env-' || n from generate_series(1, 60) n;
insert into public.deployment_verdicts (deployment_id, verdict, confidence)
select d.id, 'warning', 0.8 from public.deployments d where d.deployment_number = 59;
insert into public.metric_samples (deployment_id, phase, latency_p95, error_rate, requests_per_sec, cpu_usage, memory_usage)
select d.id, 'pre', 1, 0, 1, 0.5, 0.5 from public.deployments d where d.deployment_number = 59;
insert into public.sdh_hints (deployment_id, metric, severity, title, diagnosis) select d.id, 'latency_p95', 'critical', 't', 'd' from public.deployments d where d.deployment_number = 59;
update public.users set twofa_enabled = true where name like 'Nassir%';
update public.deployments set state = 'analyzed', finished_at = now() where deployment_number = 58;
update public.projects set plan = 'pro' where name = 'Empty';
update public.projects set plan = 'free' where name = 'Empty';
select fixture.signal(k.kind, '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000011',
    '{"invitation_id": "i", "invitee_email": "i@example.com", "feature": "f", "invoice_id": "n", "score": 9}')
from (values ('invitation_created'), ('suspicious_login'), ('quota_refused'), ('pro_feature_attempted'), ('payment_succeeded'), ('payment_failed'), ('nps_answered'), ('login')) k (kind);
select email_run_schedule(s.name) from email_schedules s where s.name not like '%pg_cron%' \g /dev/null
update public.email_outbox set run_at = now(), due_at = now();
update public.email_settings set marketing_cooldown = '0', lookahead = '0';
select count(*) from email_claim('worker', 'console', 100, interval '1 minute') \g /dev/null
select is_empty($$ select source, email_type, error from email_trigger_errors $$, 'with these columns alone no trigger misses a fact,');
select is_empty($$ select name, last_error from email_schedules where last_error is not null $$, 'every schedule runs,');
select is_empty($$ select email_type, reason, last_error from email_outbox where last_error is not null or reason ~ '^[0-9A-Z]{5}: ' $$, 'every letter is decided on,');
select cmp_ok((select count(distinct email_type) from email_outbox), '>=', 14::bigint, '(there are letters of most kinds)');
select is_empty($$ select * from email_segments where false $$, 'and the views can be read');
select isnt((select count(*) from email_segments), 0::bigint, '(they say something)');
rollback to whole;

-- What is said when a column disappears ---------------------------------------------------------------------------------------
alter table users rename column created_at to born_at;
select fixture.account('nassir') as nassir \gset
select results_eq($$ select source, email_type, error ~ '^42703: .*created_at' from email_trigger_errors order by 2 $$,
    $$ values ('users', 'E-ACT-01', true), ('users', 'E-TRX-01', true) $$, 'email_trigger_errors names the column that was renamed');
select matches(pg_temp.application(), '^fail: users\.created_at is gone \(E-TRX-01, ', 'doctor does too');
select is(email_replay_errors(), 0, 'nothing can be made up for yet');
alter table users rename column born_at to created_at;
select is((select count(*) from email_trigger_errors where replayed_at is null), 2::bigint, 'the facts wait');
rollback to whole;

-- Other changes, and what goes with them -----------------------------------------------------------------------------------------
select fixture.account('nassir') as nassir \gset
select fixture.account('awa') as awa \gset
select fixture.project(:'nassir') as project \gset
select fixture.verdict(fixture.deployment(:'project', 1, 'finished'), 'warning') \g /dev/null
update email_outbox set run_at = now(), due_at = now();
savepoint queued;
delete from users where id = :'nassir';
select count(*) from email_claim('worker', 'console', 100, interval '1 minute') \g /dev/null
select is((select array_agg(distinct status order by status) from email_outbox where user_id = :'nassir'), '{suppressed}', 'a user is deleted: nothing more goes to them');
select is((select status from email_outbox where user_id = :'awa' and email_type = 'E-TRX-01'), 'sending', 'and the others are written to');
rollback to queued;
drop table sdh_hints;
select count(*) from email_claim('worker', 'console', 100, interval '1 minute') \g /dev/null
select is((select status from email_outbox where user_id = :'awa' and email_type = 'E-TRX-01'), 'sending', 'a table is dropped: letters that do not need it go out');
select matches(pg_temp.application(), '^fail: sdh_hints\.confidence is gone', 'doctor names what is missing');
rollback to queued;
alter table deployments alter column deployment_number type text;
alter table users alter column is_active type text, alter column name type text;
select lives_ok($$ insert into users (name, email, hashed_password, is_active) values ('Zoé', 'zoe@example.com', 'x', 'true') $$, 'columns change their type: the application works');
select matches(pg_temp.application(), '^ok', 'what is retyped is there still');

select * from finish();
rollback;
