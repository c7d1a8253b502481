-- E-ACT-04: the first verdict of a project.
begin;
\ir support/fixtures.sql
select plan(22);

select fixture.account('nassir') as nassir \gset
select fixture.account('adele') as adele \gset
select fixture.project(:'nassir', 'API Gateway') as project \gset
select 'first_verdict_available:' || :'project' as key \gset
insert into public.email_project_contacts (project_id, email, role, user_id) values
(:'project', 'Adele@Example.com', 'admin', :'adele'),
(:'project', 'cto@acme.example', 'admin', null),
(:'project', 'CTO@acme.example', 'admin', null),
(:'project', 'NASSIR@example.com', 'admin', null),
(:'project', 'nassir.private@home.example', 'admin', :'nassir'),
(:'project', 'night@acme.example', 'on_call', null);
select fixture.deployment(:'project', 12, 'analyzed', now(), 'prod') as deployment \gset
select fixture.verdict(:'deployment', 'ok') as verdict \gset
select results_eq(
    $$ select dedupe_key, user_id, project_id, lower(to_email), payload, run_at, due_at from fixture.rows_of('E-ACT-04') order by dedupe_key $$,
    format($$ values
        (%1$L, %2$L::uuid, %3$L::uuid, null::text, jsonb_build_object('deployment_id', %4$L), now(), now()),
        (%1$L || ':adele@example.com', %5$L::uuid, %3$L::uuid, 'adele@example.com', jsonb_build_object('deployment_id', %4$L), now(), now()),
        (%1$L || ':cto@acme.example', %2$L::uuid, %3$L::uuid, 'cto@acme.example', jsonb_build_object('deployment_id', %4$L), now(), now()) $$,
        :'key', :'nassir', :'project', :'deployment', :'adele'),
    'a first verdict causes one letter to the owner and one to each admin, now: addresses differing in case are one, and the owner is no contact of theirs'
);
select is(fixture.gate_of(:'key'), 'send', 'the letter may go');
select is(fixture.context_of(:'key' || ':cto@acme.example') ->> 'first_name', null, 'a contact without an account is not greeted by the owner''s name');
select is(fixture.context_of(:'key' || ':adele@example.com') ->> 'first_name', 'Adele', 'one with an account by their own');
select is(fixture.recipient_of(:'key' || ':adele@example.com'), 'Adele@Example.com', 'and at the address they gave');
select is(fixture.context_of(:'key' || ':cto@acme.example') - 'first_name', fixture.context_of(:'key') - 'first_name', 'all recipients of a verdict read the same figures');

-- Figures.
select is(
    fixture.context_of(:'key') - '{first_name,time_zone,cta_path}'::text[],
    jsonb_build_object('project_name', 'API Gateway', 'project_id', :'project', 'deployment_id', :'deployment', 'deployment_number', 12, 'env', 'prod',
        'plan', 'free', 'verdict', 'ok', 'measured', true, 'occurred_at', now(), 'confidence', 0.9, 'summary', 'Aucun problème notable détecté.'),
    'without samples and hints the figures are left out'
);
-- Only the first.
select fixture.deployment(:'project', 13, 'analyzed') as deployment2 \gset
select fixture.verdict(:'deployment2', 'warning');
update public.deployment_verdicts set summary = 'x';
select is(cardinality(fixture.keys_of('E-ACT-04')), 3, 'the second verdict causes none, nor does an update');
update public.deployment_verdicts set verdict = 'warning' where id = :'verdict';
select is(fixture.context_of(:'key') ->> 'verdict', 'warning', 'the letter tells the verdict as it is when it goes');
delete from public.deployments;
select is(fixture.gate_of(:'key'), 'suppress: no such deployment', 'the letter is untrue once the deployment is gone');

select fixture.project(:'nassir', 'Veteran') as veteran \gset
set local session_replication_role = replica;
select fixture.verdict(fixture.deployment(:'veteran', 1, 'analyzed', now() - interval '1 year'), 'ok');
update public.deployment_verdicts set created_at = now() - interval '1 year';
set local session_replication_role = origin;
select fixture.verdict(fixture.deployment(:'veteran', 2, 'analyzed'), 'ok');
select is(fixture.row_of('first_verdict_available:' || :'veteran') is null, true, 'a project that had verdicts before we were installed has had its first');
select fixture.project(:'nassir', 'Bulk') as bulk \gset
insert into public.deployment_verdicts (deployment_id, verdict, confidence, created_at)
select fixture.deployment(:'bulk', n, 'analyzed'), 'ok', 0.5, now() + make_interval(secs => n) from generate_series(1, 3) n;
select is((select o.payload ->> 'deployment_id' from fixture.row_of('first_verdict_available:' || :'bulk') o), (select d.id::text from public.deployments d where d.project_id = :'bulk' and d.deployment_number = 1),
    'of several in one statement the first counts');
insert into public.email_outbox (email_type, user_id, dedupe_key) values ('E-ACT-04', :'nassir', 'first_verdict_available:' || :'veteran');
select is(fixture.context_of('first_verdict_available:' || :'veteran') ->> 'deployment_number', '1', 'a plain insert needs no more than the key');

update public.email_types set active_since = now() + interval '1 hour' where code = 'E-ACT-04';
select fixture.project(:'nassir', 'Late') as late \gset
select fixture.verdict(fixture.deployment(:'late', 1, 'analyzed'), 'ok');
select is(fixture.row_of('first_verdict_available:' || :'late') is null, true, 'a verdict before active_since causes nothing');
update public.email_types set active_since = now() - interval '1 hour' where code = 'E-ACT-04';
select fixture.project(:'nassir', 'Backfilled') as backfilled \gset
insert into public.deployment_verdicts (deployment_id, verdict, confidence, created_at)
values (fixture.deployment(:'backfilled', 1, 'analyzed'), 'ok', 0.5, now() - interval '61 minutes');
select is(fixture.row_of('first_verdict_available:' || :'backfilled') is null, true, 'also one that is stored after it');
select fixture.project(:'nassir', 'Since') as since \gset
insert into public.deployment_verdicts (deployment_id, verdict, confidence, created_at)
values (fixture.deployment(:'since', 1, 'analyzed'), 'ok', 0.5, now() - interval '59 minutes');
select is((select o.run_at from fixture.row_of('first_verdict_available:' || :'since') o), now(), 'one after active_since that is stored late is told of now');
update public.email_types set active_since = now() - interval '1 day' where code = 'E-ACT-04';

select fixture.project(:'nassir', 'Broken') as broken \gset
select fixture.deployment(:'broken', 1, 'analyzed') as waiting \gset
select is_empty(
    $$ select fixture.broken_by('E-ACT-04', 'insert into public.deployment_verdicts (deployment_id, verdict, confidence) select d.id, ''ok'', 0.5 from public.deployments d join public.projects p on p.id = d.project_id where p.name = ''Broken''') $$,
    'whatever breaks on our side, the verdict is stored and the miss is noted'
);
select fixture.move_clock('1 hour');
select jsonb_agg(n -> 'row_data') as notes
from fixture.notes_without('E-ACT-04', 'alter table public.deployments rename column project_id to p', 'insert into public.deployment_verdicts (deployment_id, verdict, confidence) select d.id, ''ok'', 0.5 from public.deployments d join public.projects p on p.id = d.p where p.name = ''Broken''') n
where n ->> 'error' like '42703: %project_id%' \gset
select is((select count(*) from jsonb_array_elements(:'notes'::jsonb) n where n ->> 'deployment_id' = :'waiting'), 1::bigint, 'a column that was renamed is noted');
select is((select max((n ->> 'at')::timestamptz) from jsonb_array_elements(:'notes'::jsonb) n where n ->> 'deployment_id' = :'waiting'), public.email_now(), 'with the moment of the cause, from which the letter expires');
select fixture.move_clock('0');
select jsonb_agg(n -> 'error') as notes
from fixture.notes_without('E-ACT-04', 'alter table public.projects rename column owner_id to o', 'insert into public.deployment_verdicts (deployment_id, verdict, confidence) select d.id, ''ok'', 0.5 from public.deployments d join public.projects p on p.id = d.project_id where p.name = ''Broken''') n \gset
select is((:'notes'::jsonb ->> 0) like '42703: %owner_id%', true, 'a column missing in a table that is only looked up is noted too');
select fixture.replayed_keys('E-ACT-04', 'insert into public.deployment_verdicts (deployment_id, verdict, confidence) select d.id, ''ok'', 0.5 from public.deployments d join public.projects p on p.id = d.project_id where p.name = ''Broken''') as replayed \gset
select is(:'replayed'::text[], array['first_verdict_available:' || :'broken'], 'what was missed is made up for');

-- A snapshot of the application's may be older than the deployment.
select throws_ok(
    format($$select public.email_act_04_enqueue('[{"deployment_id": "%s", "created_at": "%s", "at": "%s"}]')$$, gen_random_uuid(), now(), now()),
    '22004', 'field "owner_id" is missing', 'a verdict whose deployment cannot be seen yet is an error, to be made up for, and not forgotten'
);

select * from finish();
rollback;
