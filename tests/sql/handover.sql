-- The hand-over from the application's own scheduler (docs/rules.md#hand-over): what becomes of a job, and what of one that cannot
-- be taken.
begin;
\ir support/fixtures.sql
select plan(61);

create function fixture.job(kind text, metadata jsonb, due timestamptz default now(), state text default 'pending', deployment uuid default null)
returns uuid
language sql
as $$
insert into public.scheduled_jobs (job_type, job_metadata, scheduled_at, status, deployment_id) values (kind, metadata, due, state, deployment) returning id
$$;
create function fixture.status_of(job uuid) returns text
language sql
as $$ select j.status from public.scheduled_jobs j where j.id = job $$;
create function fixture.metadata_of(job uuid) returns jsonb
language sql
as $$ select j.job_metadata from public.scheduled_jobs j where j.id = job $$;
create function fixture.open_notes() returns setof public.email_trigger_errors
language sql
as $$ select * from public.email_trigger_errors where source = 'email_handover' and replayed_at is null order by id $$;

-- A user and a project that exist since before the switch: nothing of ours knows about them.
alter table public.users disable trigger user;
alter table public.projects disable trigger user;
select fixture.account('nassir') as nassir \gset
select fixture.account('nadia') as nadia \gset
select fixture.project(:'nassir') as project \gset
alter table public.users enable trigger user;
alter table public.projects enable trigger user;

-- email_send -------------------------------------------------------------------------------------------------------------
select fixture.job('email_send', jsonb_build_object(
    'user_id', :'nassir', 'to_email', 'nassir@example.com', 'email_type', 'E-TRX-01', 'dedupe_key', 'welcome_signup:' || :'nassir',
    'project_id', null, 'context', jsonb_build_object('first_name', 'Vieux Prénom', 'known_to_the_application', 'yes')),
    now() + interval '10 minutes') as welcome \gset
select is(fixture.status_of(:'welcome'), 'completed', 'an email_send job is stored completed');
select is(fixture.metadata_of(:'welcome') ->> 'email_type', 'E-TRX-01', 'and stays as the application wrote it');
select is(r.email_type, 'E-TRX-01') from fixture.row_of('welcome_signup:' || :'nassir') r;
select is(r.user_id, :'nassir'::uuid, 'the letter is for the same user') from fixture.row_of('welcome_signup:' || :'nassir') r;
select is(r.to_email, 'nassir@example.com', 'to the same address') from fixture.row_of('welcome_signup:' || :'nassir') r;
select is(r.run_at, now() + interval '10 minutes', 'at the moment the application chose') from fixture.row_of('welcome_signup:' || :'nassir') r;
select is(fixture.context_of('welcome_signup:' || :'nassir') ->> 'first_name', 'Nassir', 'what is known now wins over the job''s context');
select is(fixture.context_of('welcome_signup:' || :'nassir') ->> 'known_to_the_application', 'yes', 'which fills what is not');
select fixture.job('email_send', jsonb_build_object('user_id', :'nassir', 'to_email', 'nassir@example.com', 'email_type', 'E-TRX-01',
    'dedupe_key', 'welcome_signup:' || :'nassir')) as again \gset
select is(fixture.status_of(:'again'), 'completed', 'the same letter again is done');
select is(fixture.keys_of('E-TRX-01'), array['welcome_signup:' || :'nassir'], 'and one letter all the same');

-- The spec's name for the context, ids in the key only, and ids that are none.
select fixture.job('email_send', jsonb_build_object('user_id', :'nassir', 'to_email', 'nassir@example.com', 'email_type', 'E-CONV-03',
    'dedupe_key', 'free_quota_reached:' || :'project' || ':2026-02', 'project_id', null,
    'template_context', jsonb_build_object('project_id', 'API Gateway', 'deployment_id', 42, 'occurred_at', '2026-02-18T09:24:00Z'))) \g /dev/null
select is(r.project_id, :'project'::uuid, 'a project that stands in the key only is read from there') from fixture.row_of('free_quota_reached:' || :'project' || ':2026-02') r;
select is(r.payload, '{"occurred_at": "2026-02-18T09:24:00Z"}', 'template_context is the context, and what is no id is left out')
from fixture.row_of('free_quota_reached:' || :'project' || ':2026-02') r;
select is(fixture.gate_of('free_quota_reached:' || :'project' || ':2026-02'), 'send', 'so the letter can go out');

-- env_forced -------------------------------------------------------------------------------------------------------------
select fixture.job('email_send', jsonb_build_object('user_id', :'nassir', 'to_email', 'nassir@example.com', 'email_type', 'E-ENV-01',
    'dedupe_key', 'env_forced:' || :'project' || ':2026-02-19', 'context', '{"original_env": "staging", "forced_env": "prod", "project_name": "Old name"}'::jsonb), now() + interval '5 minutes') as forced \gset
select is(fixture.status_of(:'forced'), 'completed');
select is(r.email_type, 'E-CONV-04', 'env_forced is E-CONV-04, under that letter''s own key of the month') from fixture.row_of('pro_feature:' || :'nassir' || ':multi_env:2026-02') r;
select is(fixture.context_of('pro_feature:' || :'nassir' || ':multi_env:2026-02') - '{first_name,time_zone,cta_path,features,job_key}'::text[],
    jsonb_build_object('feature', 'multi_env', 'original_env', 'staging', 'forced_env', 'prod', 'project_name', 'API Gateway', 'project_id', :'project'),
    'of the feature multi_env, with its environments');
select results_eq(
    $$ select user_id, to_email, run_at, due_at from fixture.row_of((select dedupe_key from fixture.rows_of('E-CONV-04'))) $$,
    format($$ values (%L::uuid, 'nassir@example.com', now() + interval '5 minutes', now() + interval '5 minutes') $$, :'nassir'),
    'for the user, at the address and the moment the application chose'
);
select is(fixture.gate_of('pro_feature:' || :'nassir' || ':multi_env:2026-02'), 'send', 'it may go');
select fixture.job('email_send', jsonb_build_object('user_id', :'nassir', 'to_email', 'nassir@example.com', 'email_type', 'E-ENV-01',
    'dedupe_key', 'env_forced:' || :'project' || ':2026-02-27', 'context', '{"original_env": "staging", "forced_env": "prod"}'::jsonb)) \g /dev/null
select is(cardinality(fixture.keys_of('E-CONV-04')), 1, 'forced environments of a month cause one letter');
update public.projects set plan = 'pro' where id = :'project';
select is(fixture.gate_of('pro_feature:' || :'nassir' || ':multi_env:2026-02'), 'suppress: no longer free', 'not once the project is no longer free');
update public.projects set plan = 'free' where id = :'project';
-- What the application's own sender sent before the switch.
insert into public.email_deliveries (user_id, email_type, dedupe_key, status, sent_at) values (:'nadia', 'E-CONV-04', 'env_forced:' || :'project' || ':2026-01-31', 'sent', now());
select fixture.job('email_send', jsonb_build_object('user_id', :'nadia', 'to_email', 'nadia@example.com', 'email_type', 'E-CONV-04',
    'dedupe_key', 'env_forced:' || :'project' || ':2026-01-31')) as sent_before \gset
select is(fixture.status_of(:'sent_before'), 'completed');
select is(cardinality(fixture.keys_of('E-CONV-04')), 1, 'what the journal knows under the job''s key is no letter again');

-- notification_outbox ----------------------------------------------------------------------------------------------------
select fixture.deployment(:'project', 7, 'analyzed') as deployment \gset
select jsonb_build_object('channel', 'slack', 'payload', jsonb_build_object('text', 'Rollback!', 'deployment', :'deployment')) as slack \gset
select jsonb_build_object('channel', 'email', 'payload', jsonb_build_object('user_id', :'nassir', 'to_email', 'nassir@example.com',
    'email_type', 'E-ACT-05', 'dedupe_key', 'critical_verdict_alert:' || :'deployment', 'project_id', :'project',
    'context', '{"verdict": "warning"}'::jsonb)) as alert \gset
select jsonb_build_object('channel', 'email', 'payload', jsonb_build_object('user_id', :'nassir', 'to_email', 'nassir@example.com',
    'email_type', 'E-ACT-04', 'dedupe_key', 'first_verdict_available:' || :'project', 'project_id', :'project')) as first_verdict \gset
select fixture.job('notification_outbox', jsonb_build_object('version', 1, 'notifications', jsonb_build_array(:'slack'::jsonb, :'alert'::jsonb, :'first_verdict'::jsonb)),
    now(), 'pending', :'deployment') as mixed \gset
select is(fixture.status_of(:'mixed'), 'pending', 'a job with a slack part stays pending');
select is(fixture.metadata_of(:'mixed'), jsonb_build_object('version', 1, 'notifications', jsonb_build_array(:'slack'::jsonb)), 'with that part alone, and all else as it was');
select is(fixture.keys_of('E-ACT-05') || fixture.keys_of('E-ACT-04'), array['critical_verdict_alert:' || :'deployment', 'first_verdict_available:' || :'project'], 'its email parts are letters');
select is(fixture.context_of('critical_verdict_alert:' || :'deployment') ->> 'deployment_number', '7', 'whose figures are read through the key');
select fixture.job('notification_outbox', jsonb_build_object('notifications', jsonb_build_array(:'alert'::jsonb))) as emails_only \gset
select is(fixture.status_of(:'emails_only'), 'completed', 'nothing left means completed');
select is(fixture.metadata_of(:'emails_only') -> 'notifications', '[]'::jsonb);
select fixture.job('notification_outbox', jsonb_build_object('notifications', jsonb_build_array(:'slack'::jsonb))) as slack_only \gset
select is(fixture.status_of(:'slack_only'), 'pending', 'a job without emails is none of ours');
select is(fixture.metadata_of(:'slack_only'), jsonb_build_object('notifications', jsonb_build_array(:'slack'::jsonb)));
select is(fixture.status_of(fixture.job('notification_outbox', '{"notifications": []}')), 'pending', 'nor is one without any part');
select is_empty('select fixture.open_notes()', 'nothing of that is an error');

-- Not ours ---------------------------------------------------------------------------------------------------------------
select is(fixture.status_of(fixture.job('pre_collect', null)), 'pending', 'other jobs are left alone');
select is(fixture.status_of(fixture.job('slack_send', '{"text": "x"}')), 'pending');
select fixture.job('email_send', jsonb_build_object('user_id', :'nadia', 'to_email', 'nadia@example.com', 'email_type', 'E-TRX-01',
    'dedupe_key', 'welcome_signup:' || :'nadia'), now(), 'failed') as failed \gset
select is(fixture.status_of(:'failed'), 'failed', 'so is a job that is not pending');
select is(fixture.keys_of('E-TRX-01'), array['welcome_signup:' || :'nassir']);

-- Left exactly as they are -------------------------------------------------------------------------------------------------
create table fixture.refused (what text, metadata jsonb, error text, kind text default 'email_send', id uuid);
insert into fixture.refused (what, metadata, error) values
('no key', jsonb_build_object('user_id', :'nadia', 'email_type', 'E-TRX-01'), '%field "dedupe_key" is missing'),
('no user', '{"email_type": "E-TRX-01", "dedupe_key": "welcome_signup:x"}', '%field "user_id" is missing'),
('a user that is none', '{"user_id": "nadia", "email_type": "E-TRX-01", "dedupe_key": "welcome_signup:x"}', '%field "user_id" is not a uuid'),
('no type', jsonb_build_object('user_id', :'nadia', 'dedupe_key', 'welcome_signup:x'), '%field "email_type" is missing'),
('an unknown code', jsonb_build_object('user_id', :'nadia', 'email_type', 'E-NEW-01', 'dedupe_key', 'new:x'), '23503: unknown email type "E-NEW-01"'),
('a key too long', jsonb_build_object('user_id', :'nadia', 'email_type', 'E-TRX-01', 'dedupe_key', repeat('x', 256)), '23514: %"email_outbox_dedupe_key_has_1_to_255_characters"%'),
('no metadata', null, '%field "dedupe_key" is missing'),
('metadata that is a list', '[1]', '%field "dedupe_key" is missing');
insert into fixture.refused (kind, what, metadata, error) values
('notification_outbox', 'no list', '{"notification": []}', '%field "notifications" is missing'),
('notification_outbox', 'a list that is none', '{"notifications": {}}', '%field "notifications" is missing'),
('notification_outbox', 'one part of it', jsonb_build_object('notifications', jsonb_build_array(
    jsonb_build_object('channel', 'email', 'payload', jsonb_build_object('user_id', :'nadia', 'to_email', 'nadia@example.com', 'email_type', 'E-TRX-01', 'dedupe_key', 'welcome_signup:' || :'nadia')),
    :'slack'::jsonb, '{"channel": "email", "payload": {}}'::jsonb)), '%field "dedupe_key" is missing');
update fixture.refused set id = fixture.job(kind, metadata);
select is_empty($$ select r.what from fixture.refused r join public.scheduled_jobs j using (id) where j.status <> 'pending' or j.job_metadata is distinct from r.metadata $$,
    'a job that lacks something or names an unknown code is left exactly as it is, as a whole');
select is_empty($$ select r.what from fixture.refused r left join fixture.open_notes() n on n.row_data ->> 'job_id' = r.id::text where n.error is null or n.error not like r.error $$,
    'and noted, with what is wrong with it');
select is((select count(*) from fixture.open_notes()), (select count(*) from fixture.refused), 'each once');
select is_empty($$ select from public.email_outbox where user_id = (select id from public.users where name like 'Nadia%') $$, 'no part of it is a letter');

-- What is mended later is made up for; what the application did itself meanwhile is closed.
select is(public.email_replay_errors(), 0, 'as long as nothing changed they stay');
update public.scheduled_jobs set job_metadata = job_metadata || '{"email_type": "E-ACT-01"}' where id = (select id from fixture.refused where what = 'an unknown code');
update public.scheduled_jobs set status = 'running' where id = (select id from fixture.refused where what = 'no key');
delete from public.scheduled_jobs where id = (select id from fixture.refused where what = 'no user');
select is(public.email_replay_errors(), 3, 'a mended job, one the application works on, one that is gone');
select is(fixture.keys_of('E-ACT-01'), '{new:x}', 'the mended one is a letter');
select is(fixture.status_of((select id from fixture.refused where what = 'an unknown code')), 'completed');

-- A disabled type, and the switch -----------------------------------------------------------------------------------------
update public.email_types set enabled = false where code = 'E-TRX-01';
select fixture.job('email_send', jsonb_build_object('user_id', :'nadia', 'to_email', 'nadia@example.com', 'email_type', 'E-TRX-01', 'dedupe_key', 'welcome_signup:' || :'nadia')) as disabled \gset
select is(fixture.status_of(:'disabled'), 'completed', 'a letter that is switched off is nobody''s to send');
select is(fixture.row_of('welcome_signup:' || :'nadia'), null);
update public.email_types set enabled = true where code = 'E-TRX-01';
update public.email_settings set handover = false;
select fixture.job('email_send', jsonb_build_object('user_id', :'nadia', 'to_email', 'nadia@example.com', 'email_type', 'E-TRX-01', 'dedupe_key', 'welcome_signup:' || :'nadia')) as mine \gset
select is(fixture.status_of(:'mine'), 'pending', 'switched off, the application''s jobs are its own');
select results_eq('select * from public.email_take_jobs()', $$ values (0::bigint, 0::bigint, 0::bigint, 0::bigint) $$, 'also by hand');
update public.email_settings set handover = true;
select results_eq('select jobs, letters, known_or_disabled, left_alone from public.email_take_jobs()', $$ values (1::bigint, 1::bigint, 0::bigint, 8::bigint) $$,
    'switched on again, what waits is taken by hand');
select is(fixture.status_of(:'mine'), 'completed');

-- The way back ------------------------------------------------------------------------------------------------------------
-- What waits now: a welcome, a refused quota, an env_forced, an alert, a first verdict without a verdict, and codes with keys of their own.
update public.email_outbox set run_at = now() + interval '10 minutes' where email_type = 'E-CONV-03';
update public.users set is_active = false where id = :'nadia';
insert into public.email_outbox (email_type, user_id, dedupe_key) values ('E-RET-01', :'nassir', 'weekly_usage:' || :'nassir' || ':2026-W07');
select results_eq('select * from public.email_hand_back()',
    $$ values ('E-ACT-05', 1::bigint), ('E-CONV-03', 1::bigint), ('E-CONV-04', 1::bigint) $$,
    'what the application would have scheduled is handed back; what is not true any more is not');
select results_eq(
    $$ select job_type::text, status::text, job_metadata -> 'context' ->> 'deployment_number' from public.scheduled_jobs where job_metadata ->> 'dedupe_key' = 'critical_verdict_alert:' || (select id from public.deployments) $$,
    $$ values ('email_send', 'pending', '7') $$, 'as a pending job, with the figures of now');
select is((select scheduled_at from public.scheduled_jobs where status = 'pending' and job_metadata ->> 'email_type' = 'E-CONV-03'),
    now() + interval '10 minutes', 'at its time');
select results_eq($$ select email_type from public.email_outbox where status = 'queued' order by 1 $$, $$ values ('E-ACT-01'), ('E-ACT-04'), ('E-RET-01'), ('E-TRX-01') $$, 'the rest stays');
select is((select handover from public.email_settings), false, 'and the hand-over is off');
update public.email_settings set handover = true;
select is((select letters from public.email_take_jobs()), 3::bigint, 'there and back again: the same letters');
update public.users set is_active = true where id = :'nadia';

-- The journal --------------------------------------------------------------------------------------------------------------
insert into public.email_deliveries (user_id, email_type, dedupe_key, status, provider_message_id) values
(:'nadia', 'E-ACT-01', 'journal:sent', 'sent', 'm1'), (:'nadia', 'E-ACT-01', 'journal:suppressed', 'suppressed', null),
(:'nadia', 'E-ACT-01', 'journal:failed', 'failed', null), (:'nadia', 'E-ACT-01', 'journal:failed late', 'failed', 'm2'),
(:'nadia', 'E-ACT-01', 'journal:queued', 'queued', null);
select fixture.job('email_send', jsonb_build_object('user_id', :'nadia', 'email_type', 'E-ACT-01', 'dedupe_key', d.dedupe_key))
from public.email_deliveries d where d.dedupe_key like 'journal:%' \g /dev/null
select is((select array_agg(o.dedupe_key) from public.email_outbox o where o.dedupe_key like 'journal:%'), '{journal:failed}',
    'the journal is honoured: only what failed before the provider had it may go out again');
select is((select count(*) from public.scheduled_jobs where job_metadata ->> 'dedupe_key' like 'journal:%' and status = 'completed'), 5::bigint, 'the jobs are done');

-- Rule 1 -------------------------------------------------------------------------------------------------------------------
delete from public.email_trigger_errors;
create function fixture.handover_broken_by(statement text) returns text
language plpgsql
as $$
declare
    stored text;
begin
    begin
        execute statement;
        insert into public.scheduled_jobs (job_type, scheduled_at, job_metadata)
        values ('email_send', now(), '{"user_id": "7d444840-9dc0-11d1-b245-5ffdce74fad2", "email_type": "E-TRX-01", "dedupe_key": "rule:1"}')
        returning status into stored;
        raise exception using errcode = 'ZZ001';
    exception
        when sqlstate 'ZZ001' then
            return stored;
        when others then
            return sqlerrm;
    end;
end
$$;
select is_empty($$ select s.what, fixture.handover_broken_by(s.statement) from fixture.sabotage s where fixture.handover_broken_by(s.statement) not in ('pending', 'completed') $$,
    'whatever is broken on our side, the application''s job is stored');
select is(fixture.handover_broken_by('drop function public.email_handover_take(jsonb)'), 'pending', 'as it is');
select is(fixture.handover_broken_by('alter table public.projects rename column id to key'), 'pending', 'also when the application changes a table of its own');

select * from finish();
rollback;
