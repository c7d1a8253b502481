-- E-ACT-03: a deployment was started, none was ever finished.
begin;
\ir support/fixtures.sql
select plan(21);

select fixture.account('nassir') as nassir \gset
select fixture.project(:'nassir', 'Checkout API') as project \gset
select 'deployment_never_finished:' || :'project' as key \gset
select fixture.deployment(:'project', 1, 'pending') as first \gset
select is(fixture.keys_of('E-ACT-03'), '{}', 'a pending deployment causes nothing');
update public.deployments set state = 'running';
select results_eq(
    $$ select dedupe_key, user_id, project_id, to_email, payload, run_at, due_at from fixture.rows_of('E-ACT-03') $$,
    format($$ values (%L, %L::uuid, %L::uuid, null::text, jsonb_build_object('deployment_id', %L), now() + interval '48 hours', now() + interval '48 hours') $$,
        :'key', :'nassir', :'project', :'first'),
    'once it runs it causes one letter to the project''s owner, 48 hours after it was started'
);
update public.deployments set branch = 'main';
select fixture.deployment(:'project', 2, 'running', now() - interval '1 minute') as second \gset
select is(fixture.keys_of('E-ACT-03'), array[:'key'], 'further deployments of the project cause none');
select fixture.move_clock('48 hours');
select is(fixture.gate_of(:'key'), 'send', 'the letter may go once its time has come');
select is(
    fixture.context_of(:'key'),
    jsonb_build_object('first_name', 'Nassir', 'time_zone', 'Europe/Paris', 'project_name', 'Checkout API', 'project_id', :'project',
        'deployment_id', :'first', 'deployment_number', 1, 'env', 'env-1', 'started_at', now(), 'unfinished', 2),
    'with the deployment that caused it and how many are running'
);
delete from public.deployments where id = :'first';
select is(
    fixture.context_of(:'key') - '{first_name,time_zone,cta_path,project_name,project_id,started_at}'::text[],
    jsonb_build_object('deployment_id', :'second', 'deployment_number', 2, 'env', 'env-2', 'unfinished', 1),
    'or the latest that is running'
);
update public.deployments set state = 'pending';
select is(fixture.gate_of(:'key'), 'suppress: no deployment is running', 'not when none is running any more');
update public.deployments set state = 'running';
select fixture.deployment(:'project', 3, 'finished') as third \gset
select is(fixture.gate_of(:'key'), 'suppress: project finished a deployment', 'nor once one was finished');
update public.deployments set state = 'analyzed', finished_at = null where id = :'third';
select is(fixture.gate_of(:'key'), 'suppress: project finished a deployment', 'analyzed is finished as well');
update public.deployments set state = 'pending', finished_at = now() where id = :'third';
select is(fixture.gate_of(:'key'), 'suppress: project finished a deployment', 'and so is whatever has a finish');
delete from public.projects;
select is(fixture.gate_of(:'key'), 'suppress: no such project', 'the letter is untrue once the project is gone');
select fixture.move_clock('0');

select fixture.project(:'nassir', 'Proven') as proven \gset
select fixture.deployment(:'proven', 1, 'finished', now() - interval '1 day');
select fixture.deployment(:'proven', 2, 'running');
select is(fixture.row_of('deployment_never_finished:' || :'proven') is null, true, 'a project that finished one before causes nothing');

update public.email_types set params = '{"delay": "1 day"}', active_since = now() - interval '1 hour' where code = 'E-ACT-03';
select fixture.project(:'nassir', 'Old') as old \gset
select fixture.project(:'nassir', 'New') as new \gset
insert into public.deployments (project_id, deployment_number, env, state, started_at)
values (:'old', 1, 'prod', 'running', now() - interval '2 hours'), (:'new', 1, 'prod', 'running', now() - interval '30 minutes'), (:'new', 2, 'staging', 'running', now() - interval '20 minutes');
select is(fixture.row_of('deployment_never_finished:' || :'old') is null, true, 'a start before active_since causes nothing');
select is((select o.run_at from fixture.row_of('deployment_never_finished:' || :'new') o) in (now() + interval '23 hours 30 minutes', now() + interval '23 hours 40 minutes'), true,
    'the delay is a parameter; two starts in one statement are one letter');
select fixture.project(:'nassir', 'Queued') as queued \gset
select fixture.deployment(:'queued', 1, 'pending', now() - interval '50 minutes') as waited \gset
update public.deployments set state = 'running' where id = :'waited';
select is((select o.run_at from fixture.row_of('deployment_never_finished:' || :'queued') o), now() + interval '23 hours 10 minutes', 'one that waited before it ran was started when it began to wait');
insert into public.email_outbox (email_type, user_id, dedupe_key) values ('E-ACT-03', :'nassir', 'deployment_never_finished:' || :'old');
select is(fixture.context_of('deployment_never_finished:' || :'old') ->> 'deployment_number', '1', 'a plain insert needs no more than the key');

select fixture.project(:'nassir', 'Broken') as broken \gset
select is_empty(
    $$ select fixture.broken_by('E-ACT-03', 'insert into public.deployments (project_id, deployment_number, env, state) select id, 1, ''prod'', ''running'' from public.projects where name = ''Broken''') $$,
    'whatever breaks on our side, starting a deployment works and the miss is noted'
);
select fixture.deployment(:'broken', 1, 'pending');
select is_empty(
    $$ select fixture.broken_by('E-ACT-03', 'update public.deployments set state = ''running'' where project_id = (select id from public.projects where name = ''Broken'')') $$,
    'so does updating one'
);
select jsonb_agg(n -> 'row_data') as notes
from fixture.notes_without('E-ACT-03', 'alter table public.deployments drop column state cascade', 'update public.deployments set branch = ''x'' where project_id = (select id from public.projects where name = ''Broken'')') n
where n ->> 'error' like '42703: %state%' \gset
select is((select count(*) from jsonb_array_elements(:'notes'::jsonb) n where n ->> 'project_id' = :'broken' and n ->> 'deployment_id' is not null), 1::bigint, 'a column that disappeared is noted');
select jsonb_agg(n -> 'row_data') as notes
from fixture.notes_without('E-ACT-03', 'alter table public.projects drop column owner_id', 'update public.deployments set state = ''running'' where project_id = (select id from public.projects where name = ''Broken'')') n
where n ->> 'error' like '42703: %owner_id%' \gset
select is((select count(*) from jsonb_array_elements(:'notes'::jsonb) n where n ->> 'project_id' = :'broken'), 1::bigint, 'a column missing in a table that is only looked up is noted too');
select fixture.replayed_keys('E-ACT-03', 'update public.deployments set state = ''running'' where project_id = (select id from public.projects where name = ''Broken'')') as replayed \gset
select is(:'replayed'::text[], array['deployment_never_finished:' || :'broken'], 'what was missed is made up for');

select * from finish();
rollback;
