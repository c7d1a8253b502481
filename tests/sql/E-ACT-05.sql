-- E-ACT-05: a critical verdict.
begin;
\ir support/fixtures.sql
select plan(32);

-- Each warning by itself: tests/sql/E-ACT-05_several.sql has those that go together.
update public.email_types set params = params - 'digest_within' where code = 'E-ACT-05';
select fixture.account('nassir') as nassir \gset
select fixture.account('night') as night \gset
select fixture.project(:'nassir', 'Checkout API') as project \gset
insert into public.email_project_contacts (project_id, email, role, user_id) values
(:'project', 'night@example.com', 'on_call', :'night'),
(:'project', 'Pager@acme.example', 'on_call', null),
(:'project', 'pager@ACME.example', 'on_call', null),
(:'project', 'Nassir@Example.com', 'on_call', null),
(:'project', 'cto@acme.example', 'admin', null);
select fixture.deployment(:'project', 12, 'analyzed', now(), 'prod') as deployment \gset
select 'critical_verdict_alert:' || :'deployment' as key \gset
select fixture.verdict(:'deployment', 'rollback_recommended') as verdict \gset
select results_eq(
    $$ select dedupe_key, user_id, project_id, lower(to_email), payload, run_at, due_at from fixture.rows_of('E-ACT-05') order by dedupe_key $$,
    format($$ values
        (%1$L, %2$L::uuid, %3$L::uuid, null::text, jsonb_build_object('deployment_id', %4$L, 'verdict', 'rollback_recommended'), now(), now()),
        (%1$L || ':night@example.com', %5$L::uuid, %3$L::uuid, 'night@example.com', jsonb_build_object('deployment_id', %4$L, 'verdict', 'rollback_recommended'), now(), now()),
        (%1$L || ':pager@acme.example', %2$L::uuid, %3$L::uuid, 'pager@acme.example', jsonb_build_object('deployment_id', %4$L, 'verdict', 'rollback_recommended'), now(), now()) $$,
        :'key', :'nassir', :'project', :'deployment', :'night'),
    'a critical verdict causes one letter to the owner and one to each on-call contact, now'
);
select is(
    (select array_agg(o.email_type || ' ' || o.dedupe_key order by o.email_type) from public.email_outbox o where o.user_id = :'nassir' and o.to_email is null and o.project_id = :'project' and o.run_at = now()),
    array['E-ACT-04 first_verdict_available:' || :'project', 'E-ACT-05 ' || :'key'],
    'a project''s first verdict that is critical causes both letters'
);
select is(fixture.gate_of(:'key'), 'send', 'the letter may go');
insert into public.email_preferences (user_id, marketing_opt_in, product_updates_opt_in) values (:'nassir', false, false);
update public.users set is_active = false where id = :'nassir';
select is(fixture.gate_of(:'key'), 'send', 'whatever the owner refuses and whether or not they are active');
select is(
    fixture.context_of(:'key'),
    jsonb_build_object('first_name', 'Nassir', 'time_zone', 'Europe/Paris',
        'project_name', 'Checkout API', 'project_id', :'project', 'plan', 'free', 'deployment_id', :'deployment', 'deployment_number', 12, 'env', 'prod',
        'verdict', 'rollback_recommended', 'measured', true, 'occurred_at', now(), 'confidence', 0.85, 'summary', 'Un seuil critique au moins est franchi.',
        'metrics', '[{"metric": "requests_per_sec", "failing": true, "said": "en baisse de plus de 20 % dans 80 % des mesures"}]'::jsonb),
    'with the verdict''s figures; without samples as the engine counted'
);
select is(lower(fixture.recipient_of(:'key' || ':pager@acme.example')), 'pager@acme.example', 'an on-call contact is written to at their address');
select is(fixture.gate_of(:'key' || ':pager@acme.example'), 'send', 'whoever they are');
select is(fixture.context_of(:'key' || ':pager@acme.example') ->> 'first_name', null, 'not greeted by the owner''s name');
select is(fixture.context_of(:'key' || ':night@example.com') ->> 'first_name', 'Night', 'one with an account by their own');
select is(fixture.context_of(:'key' || ':night@example.com') - 'first_name', fixture.context_of(:'key') - 'first_name', 'all recipients of a verdict read the same figures');
update public.deployment_verdicts set verdict = 'warning';
select is(fixture.context_of(:'key') ->> 'verdict', 'warning', 'a verdict that stays critical is told as it is now');
update public.deployment_verdicts set verdict = 'ok';
select is(fixture.gate_of(:'key'), 'suppress: the verdict is ok', 'of one that does not, nobody is alarmed any more');
select is(cardinality(fixture.keys_of('E-ACT-05')), 3, 'and none of that causes another letter');

select fixture.deployment(:'project', 13, 'analyzed') as fine \gset
select fixture.verdict(:'fine', 'ok') as fine_verdict \gset
select is(fixture.row_of('critical_verdict_alert:' || :'fine') is null, true, 'a verdict that is not critical causes nothing');
update public.deployment_verdicts set summary = 'still fine' where id = :'fine_verdict';
select is(fixture.row_of('critical_verdict_alert:' || :'fine') is null, true, 'nor does an update that leaves it so');
update public.deployment_verdicts set verdict = 'warning' where id = :'fine_verdict';
select is((fixture.row_of('critical_verdict_alert:' || :'fine')).payload ->> 'verdict', 'warning', 'one that becomes critical does');
select is(fixture.row_of('first_verdict_available:' || :'project') is null, false, 'which is not the project''s first');

update public.email_types set params = '{"verdicts": ["rollback_recommended"]}' where code = 'E-ACT-05';
select fixture.deployment(:'project', 14, 'analyzed') as mild \gset
select fixture.verdict(:'mild', 'warning');
select is(fixture.row_of('critical_verdict_alert:' || :'mild') is null, true, 'which verdicts are critical is a parameter');
update public.email_types set params = '{"verdicts": ["warning", "rollback_recommended"]}' where code = 'E-ACT-05';
insert into public.email_outbox (email_type, user_id, dedupe_key) values ('E-ACT-05', :'nassir', 'critical_verdict_alert:' || :'mild');
select is(fixture.context_of('critical_verdict_alert:' || :'mild') ->> 'verdict', 'warning', 'a plain insert needs no more than the key');
select fixture.move_clock('1 day');
update public.deployment_verdicts set verdict = 'warning' where deployment_id = :'deployment';
select is(fixture.gate_of(:'key'), 'suppress: expired', 'a day later nobody is alarmed');
select fixture.move_clock('0');
delete from public.deployments where id = :'deployment';
select is(fixture.gate_of(:'key'), 'suppress: no such deployment', 'the letter is untrue once the deployment is gone');

update public.email_types set active_since = now() + interval '1 hour' where code = 'E-ACT-05';
select fixture.deployment(:'project', 15, 'analyzed') as late \gset
select fixture.verdict(:'late', 'warning');
select is(fixture.row_of('critical_verdict_alert:' || :'late') is null, true, 'a verdict before active_since causes nothing');
update public.email_types set active_since = now() - interval '1 hour' where code = 'E-ACT-05';
select fixture.deployment(:'project', 17, 'analyzed') as backfilled \gset
insert into public.deployment_verdicts (deployment_id, verdict, confidence, created_at) values (:'backfilled', 'warning', 0.5, now() - interval '61 minutes');
select is(fixture.row_of('critical_verdict_alert:' || :'backfilled') is null, true, 'also one that is stored after it');
update public.deployment_verdicts set verdict = 'rollback_recommended' where deployment_id = :'backfilled';
select is(fixture.row_of('critical_verdict_alert:' || :'backfilled') is null, true, 'or that becomes worse after it');
select fixture.deployment(:'project', 18, 'analyzed') as since \gset
insert into public.deployment_verdicts (deployment_id, verdict, confidence, created_at) values (:'since', 'warning', 0.5, now() - interval '59 minutes');
select is((select o.run_at from fixture.row_of('critical_verdict_alert:' || :'since') o), now(), 'one after active_since that is stored late alarms now');
delete from public.deployments where id in (:'backfilled', :'since');
update public.email_types set active_since = now() - interval '1 day' where code = 'E-ACT-05';

delete from public.email_project_contacts;
select fixture.deployment(:'project', 16, 'analyzed') as waiting \gset
select is_empty(
    $$ select fixture.broken_by('E-ACT-05', 'insert into public.deployment_verdicts (deployment_id, verdict, confidence) select d.id, ''warning'', 0.5 from public.deployments d where d.deployment_number = 16') $$,
    'whatever breaks on our side, the verdict is stored and the miss is noted'
);
select is_empty(
    $$ select fixture.broken_by('E-ACT-05', 'update public.deployment_verdicts set verdict = case verdict when ''warning'' then ''rollback_recommended'' else ''warning'' end') $$,
    'so is its change'
);
select fixture.move_clock('1 hour');
select jsonb_agg(n -> 'row_data') as notes
from fixture.notes_without('E-ACT-05', 'alter table public.deployment_verdicts rename column verdict to v', 'insert into public.deployment_verdicts (deployment_id, v, confidence) select d.id, ''warning'', 0.5 from public.deployments d where d.deployment_number = 16') n
where n ->> 'error' like '42703: %verdict%' \gset
select is((select count(*) from jsonb_array_elements(:'notes'::jsonb) n where n ->> 'deployment_id' = :'waiting'), 1::bigint, 'a column that was renamed is noted');
select is((select max((n ->> 'at')::timestamptz) from jsonb_array_elements(:'notes'::jsonb) n where n ->> 'deployment_id' = :'waiting'), public.email_now(), 'with the moment of the cause, from which the letter expires');
select fixture.move_clock('0');
select fixture.replayed_keys('E-ACT-05', 'insert into public.deployment_verdicts (deployment_id, verdict, confidence) select d.id, ''warning'', 0.5 from public.deployments d where d.deployment_number = 16') as replayed \gset
select is(:'replayed'::text[], array['critical_verdict_alert:' || :'waiting'], 'what was missed is made up for');
update public.email_trigger_errors set replayed_at = null where email_type = 'E-ACT-05';
select public.email_replay_errors();
select is((select count(*) from fixture.rows_of('E-ACT-05') where dedupe_key = 'critical_verdict_alert:' || :'waiting'), 1::bigint, 'once, however often it is replayed');

-- A snapshot of the application's may be older than the deployment.
select throws_ok(
    format($$select public.email_act_05_enqueue('[{"deployment_id": "%s", "created_at": "%s", "at": "%s", "verdict": "warning"}]')$$, gen_random_uuid(), now(), now()),
    '22004', 'field "owner_id" is missing', 'a verdict whose deployment cannot be seen yet is an error, to be made up for, and not forgotten'
);

select * from finish();
rollback;
