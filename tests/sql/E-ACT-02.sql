-- E-ACT-02: a project without a deployment.
begin;
\ir support/fixtures.sql
select plan(12);

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
    'with the project as it is called now, and its first environment'
);
update public.projects set envs = '{}';
select is(fixture.context_of(:'key') ? 'env', false, 'the letter names no environment where there is none');
select fixture.deployment(:'project', 1, 'pending') as deployment \gset
select is(fixture.gate_of(:'key'), 'suppress: project has a deployment', 'the letter is untrue once the project has a deployment');
delete from public.projects;
select is(fixture.gate_of(:'key'), 'suppress: no such project', 'the letter is untrue once the project is gone');
select fixture.move_clock('0');
update public.email_types set params = '{"delay": "2 days"}', active_since = now() - interval '1 hour' where code = 'E-ACT-02';
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
