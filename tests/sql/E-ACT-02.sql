-- E-ACT-02: a new user's project without a deployment.
begin;
\ir support/fixtures.sql
select plan(23);

select fixture.account('nassir') as nassir \gset
select fixture.project(:'nassir', 'Checkout API') as project \gset
select 'no_deployment_after_project:' || :'project' as key \gset
select results_eq(
    $$ select dedupe_key, user_id, project_id, to_email, run_at, due_at from fixture.rows_of('E-ACT-02') $$,
    format($$ values (%L, %L::uuid, %L::uuid, null::text, now() + interval '24 hours', now() + interval '24 hours') $$, :'key', :'nassir', :'project'),
    'a new project causes one letter to its owner, a day later'
);
update public.projects set name = 'Checkout';
select is(fixture.keys_of('E-ACT-02'), array[:'key'], 'an update causes no letter');
select fixture.move_clock('24 hours');
select is(fixture.gate_of(:'key'), 'send', 'the letter may go once its time has come');
select is(
    fixture.context_of(:'key'),
    jsonb_build_object('first_name', 'Nassir', 'time_zone', 'Europe/Paris', 'project_name', 'Checkout', 'project_id', :'project', 'env', 'prod'),
    -- This database has no column for the endpoint: nothing is said of it.
    'with the project as it is called now, and its first environment'
);
update public.projects set envs = '{}';
select is(fixture.context_of(:'key') ? 'env', false, 'the letter names no environment where there is none');
select fixture.deployment(:'project', 1, 'pending') as deployment \gset
select is(fixture.gate_of(:'key'), 'suppress: project has a deployment', 'the letter is untrue once the project has a deployment');
delete from public.deployments;
select fixture.project(:'nassir', 'Second') as second \gset
select fixture.deployment(:'second', 1, 'pending');
select is(fixture.gate_of(:'key'), 'suppress: another project of the owner has a deployment', 'the letter is untrue once another project of the owner has a deployment');
delete from public.deployments;

-- Where the application has the columns, the usual cause is told.
update public.projects set tech_stack = 'Python' where id = :'project';
select is(fixture.context_of(:'key') - '{first_name,time_zone,cta_path,project_name,project_id,env}'::text[], '{"tech_stack": "Python"}'::jsonb, 'the letter knows the stack of the project');
alter table public.projects add column metrics_endpoint_active varchar, add column endpoint_last_test_error_code varchar;
select is(fixture.context_of(:'key') - '{first_name,time_zone,cta_path,project_name,project_id,env,tech_stack}'::text[], '{"endpoint_active": false, "endpoint_failed": false}'::jsonb, 'the letter knows that no endpoint was activated');
update public.projects set endpoint_last_test_error_code = 'ENDPOINT_TEST_FAILED' where id = :'project';
select is(fixture.context_of(:'key') - '{first_name,time_zone,cta_path,project_name,project_id,env,tech_stack}'::text[], '{"endpoint_active": false, "endpoint_failed": true}'::jsonb, 'the letter knows that the endpoint''s test failed');
update public.projects set metrics_endpoint_active = 'https://api.example.com/seqpulse-metrics' where id = :'project';
select is(fixture.context_of(:'key') ->> 'endpoint_active', 'true', 'the letter knows that an endpoint is active');
alter table public.projects drop column metrics_endpoint_active, drop column endpoint_last_test_error_code, drop column tech_stack;
select is(fixture.gate_of(:'key'), 'send', 'without any of these columns the letter goes all the same');
alter table public.projects add column tech_stack varchar;

-- One letter per user.
select is(cardinality(fixture.keys_of('E-ACT-02')), 2, 'a second project causes a row of its own');
select is(fixture.send_due(), 2, 'one letter of two projects goes out, beside the welcome');
select fixture.move_clock('49 hours');
select fixture.send_due() \g /dev/null
select results_eq(
    $$ select status, count(*), max(reason) ~ '^such a letter went out on \d{4}-\d\d-\d\d, and params.quiet is 14 days$' from fixture.rows_of('E-ACT-02') group by 1 order by 1 $$,
    $$ values ('sent', 1::bigint, null::boolean), ('suppressed', 1, true) $$, 'the letter of the second project is suppressed'
);
delete from public.email_outbox;
delete from public.email_deliveries;
delete from public.projects;
select fixture.move_clock('0');
update public.users set created_at = now() - interval '14 days' where id = :'nassir';
select fixture.project(:'nassir', 'Late');
select is_empty($$ select fixture.rows_of('E-ACT-02') $$, 'fourteen days after signing up one is no new user any more');
update public.users set created_at = now() - interval '13 days 23 hours' where id = :'nassir';
select fixture.project(:'nassir', 'Just in time') as project \gset
select 'no_deployment_after_project:' || :'project' as key \gset
select is(fixture.keys_of('E-ACT-02'), array[:'key'], 'thirteen days after signing up one is a new user');
select fixture.move_clock('24 hours');
delete from public.projects;
select is(fixture.gate_of(:'key'), 'suppress: no such project', 'the letter is untrue once the project is gone');
select fixture.move_clock('0');
update public.email_types set params = '{"delay": "2 days", "new_for": "14 days"}', active_since = now() - interval '1 hour' where code = 'E-ACT-02';
insert into public.projects (name, owner_id, api_key, hmac_secret, created_at)
values ('Old', :'nassir', 'a', 'b', now() - interval '2 hours'), ('New', :'nassir', 'c', 'd', now() - interval '30 minutes');
select results_eq(
    $$ select p.name::text, o.run_at - p.created_at from fixture.rows_of('E-ACT-02') o join public.projects p on p.id = o.project_id $$,
    $$ values ('New', interval '2 days') $$,
    'the delay is a parameter, runs from the creation, and projects from before active_since cause nothing'
);
insert into public.email_outbox (email_type, user_id, dedupe_key) select 'E-ACT-02', p.owner_id, 'no_deployment_after_project:' || p.id from public.projects p where p.name = 'Old';
select is((select fixture.context_of('no_deployment_after_project:' || p.id) ->> 'project_name' from public.projects p where p.name = 'Old'), 'Old', 'a plain insert needs no more than the key');

select is_empty(
    $$ select fixture.broken_by('E-ACT-02', 'insert into public.projects (name, owner_id, api_key, hmac_secret) select ''P'', id, ''x'', ''y'' from public.users') $$,
    'whatever breaks on our side, creating a project works and the miss is noted'
);
select jsonb_agg(n -> 'row_data') as notes
from fixture.notes_without('E-ACT-02', 'alter table public.projects rename column owner_id to user_id', 'insert into public.projects (name, user_id, api_key, hmac_secret) select ''P'', id, ''x'', ''y'' from public.users') n
where n ->> 'error' like '42703: %owner_id%' \gset
select is((select count(*) from jsonb_array_elements(:'notes'::jsonb) n where n ->> 'project_id' is not null and not n ? 'api_key'), 1::bigint, 'a column that was renamed is noted');
select fixture.replayed_keys('E-ACT-02', 'insert into public.projects (name, owner_id, api_key, hmac_secret) select ''Replayed'', id, ''x'', ''y'' from public.users') as replayed \gset
select is(:'replayed'::text[], array(select 'no_deployment_after_project:' || p.id from public.projects p where p.name = 'Replayed'), 'what was missed is made up for');

select * from finish();
rollback;
