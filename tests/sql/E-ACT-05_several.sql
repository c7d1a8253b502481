-- E-ACT-05 and E-ACT-04: which letters of one project go, and which go together.
begin;
\ir support/fixtures.sql
\ir support/verdicts.sql
select plan(29);

select fixture.account('nassir') as nassir \gset
select fixture.project(:'nassir', 'Checkout API', 'pro') as project \gset
insert into public.email_project_contacts (project_id, email, role) values
(:'project', 'pager@acme.example', 'on_call'), (:'project', 'cto@acme.example', 'admin'), (:'project', 'pager@acme.example', 'admin');
update public.email_types set active_since = now() - interval '1 day';
create function fixture.warn(project uuid, number integer, kind text) returns uuid
language sql
as $$
with d as materialized (select fixture.deployment(project, number, 'analyzed', public.email_now(), 'prod') as id)
select d.id from d, lateral fixture.analysed(d.id, kind, public.email_now())
$$;
create function fixture.alert(number integer, recipient text default '') returns text
language sql
as $$
select 'critical_verdict_alert:' || d.id || case when recipient <> '' then ':' || recipient else '' end
from public.deployments d where d.deployment_number = number
$$;
create function fixture.state(key text) returns text
language sql
as $$
select o.status || coalesce(': ' || o.reason, '') from public.email_outbox o where o.dedupe_key = key
$$;

-- A first verdict that is critical.
select fixture.warn(:'project', 1, 'cpu') \g /dev/null
select 'first_verdict_available:' || :'project' as first \gset
select is((fixture.row_of(fixture.alert(1))).run_at, now(), 'the first warning goes at once');
select is(fixture.gate_of(:'first'), 'suppress: E-ACT-05 tells this recipient of the deployment', 'the owner gets no first verdict besides the alert');
select is(fixture.gate_of(:'first' || ':pager@acme.example'), 'suppress: E-ACT-05 tells this recipient of the deployment', 'nor an admin who is on call');
select is(fixture.gate_of(:'first' || ':cto@acme.example'), 'send', 'an admin who is not does');
update public.email_types set paused_at = now() where code = 'E-ACT-05';
select is(fixture.gate_of(:'first'), 'send', 'an alert that is held back tells nobody');
update public.email_types set paused_at = null, holdout_percent = 100 where code = 'E-ACT-05';
select is(fixture.gate_of(:'first'), 'send', 'nor does one that is held out');
update public.email_types set holdout_percent = 0 where code = 'E-ACT-05';
insert into public.email_suppressions (email, reason, source) values ('nassir@example.com', 'manual', 'test');
select is(fixture.gate_of(:'first'), 'suppress: address suppressed: manual', 'an address that gets none gets neither');
delete from public.email_suppressions;
select fixture.send_due() \g /dev/null
select is((select count(*) from public.email_outbox o where o.status = 'sent' and o.email_type in ('E-ACT-04', 'E-ACT-05')), 3::bigint, 'the owner, the contact on call and the other admin get one letter each');
select is(fixture.state(:'first'), 'suppressed: E-ACT-05 tells this recipient of the deployment', 'and the journal says why the first verdict was not sent');

-- Further warnings within the hour.
select fixture.move_clock('12 minutes');
select fixture.warn(:'project', 2, 'two') \g /dev/null
select fixture.move_clock('25 minutes');
select fixture.warn(:'project', 3, 'incomplete') \g /dev/null
select fixture.move_clock('40 minutes');
select fixture.warn(:'project', 4, 'already') \g /dev/null
select is(array(select o.run_at - now() from fixture.rows_of('E-ACT-05') o where o.dedupe_key in (fixture.alert(2), fixture.alert(3), fixture.alert(4, 'pager@acme.example'))),
    array[interval '1 hour', '1 hour', '1 hour'], 'further ones wait until an hour after the first, also those that could not be measured');
select fixture.warn(:'project', 5, 'traffic') \g /dev/null
select is((fixture.row_of(fixture.alert(5))).run_at, public.email_now(), 'a rollback goes at once');
select is(fixture.send_due(), 2, 'and nothing else does');
select fixture.project(:'nassir', 'Other') as other \gset
select fixture.warn(:'other', 77, 'cpu') \g /dev/null
select is((fixture.row_of(fixture.alert(77))).run_at, public.email_now(), 'another project has an hour of its own');
select fixture.send_due() \g /dev/null
select is(fixture.gate_of(fixture.alert(3)), 'suppress: told in the letter of ' || fixture.alert(4), 'at the end the newest is the letter, the others are told in it');
select is(fixture.gate_of(fixture.alert(4)), 'send', 'which goes');
select is(
    (select array_agg(o ->> 'deployment_number') from jsonb_array_elements(fixture.context_of(fixture.alert(4)) -> 'others') o), '{2,3}',
    'and lists them, oldest first'
);
select fixture.move_clock('61 minutes');
select is(fixture.send_due(), 2, 'one letter for the owner and one for the contact on call');
select is(array[fixture.state(fixture.alert(2)), fixture.state(fixture.alert(3)), fixture.state(fixture.alert(4))],
    array['suppressed: told in the letter of ' || fixture.alert(4), 'suppressed: told in the letter of ' || fixture.alert(4), 'sent'], 'each with one reason');
select is(
    (select array_agg(o ->> 'deployment_number') from public.email_deliveries d, jsonb_array_elements(d.payload_json -> 'context' -> 'others') o where d.dedupe_key = fixture.alert(4)),
    '{2,3}', 'the journal has what the letter told of'
);
-- A row that was committed late: it is not in the letter that went.
insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, payload, run_at)
select 'E-ACT-05', :'nassir', :'project', 'critical_verdict_alert:' || d.id, o.payload || jsonb_build_object('deployment_id', d.id), o.run_at
from fixture.row_of(fixture.alert(4)) o, (select fixture.deployment(:'project', 6, 'analyzed') as id) d;
select set_config('session_replication_role', 'replica', true) \g /dev/null
select fixture.analysed((select d.id from public.deployments d where d.deployment_number = 6), 'cpu');
select set_config('session_replication_role', 'origin', true) \g /dev/null
select is(fixture.gate_of(fixture.alert(6)), 'send', 'one that was committed late goes by itself');
select is(fixture.context_of(fixture.alert(6)) ? 'others', false, 'and tells of nothing twice');
select fixture.send_due() \g /dev/null

-- The next hour; what becomes worse does not wait.
select fixture.warn(:'project', 7, 'cpu') \g /dev/null
select is((fixture.row_of(fixture.alert(7))).run_at, public.email_now(), 'the first after that hour goes at once again');
select fixture.warn(:'project', 8, 'cpu'), fixture.warn(:'project', 9, 'cpu') \g /dev/null
update public.deployment_verdicts set verdict = 'rollback_recommended' where deployment_id = (select d.id from public.deployments d where d.deployment_number = 8);
select is((select o.run_at = public.email_now() and not o.payload ? 'digest' from fixture.row_of(fixture.alert(8)) o), true, 'a warning that waits and becomes a rollback goes at once');
select is((select o.run_at > public.email_now() from fixture.row_of(fixture.alert(9)) o), true, 'alone');
update public.deployment_verdicts set verdict = 'ok' where deployment_id = (select d.id from public.deployments d where d.deployment_number = 9);
select is(fixture.gate_of(fixture.alert(9)), 'suppress: the verdict is ok', 'one that became better is no letter');

-- Several of one statement, and none of it when it is switched off.
select fixture.project(:'nassir', 'Bulk') as bulk \gset
insert into public.deployment_verdicts (deployment_id, verdict, confidence, created_at)
select fixture.deployment(:'bulk', 100 + n, 'analyzed'), case n when 4 then 'rollback_recommended' else 'warning' end, 0.7, now() + make_interval(secs => n)
from generate_series(1, 4) n;
select is(array(select extract(epoch from o.run_at - public.email_now())::integer from fixture.rows_of('E-ACT-05') o
    where o.project_id = :'bulk' order by (o.payload ->> 'verdict'), o.run_at, o.id), '{0,0,3600,3600}', 'of several in one statement the first goes at once, and a rollback');
update public.email_types set params = params || '{"digest_within": null}' where code = 'E-ACT-05';
select fixture.warn(:'bulk', 105, 'cpu') \g /dev/null
select is((fixture.row_of(fixture.alert(105))).run_at, public.email_now(), 'without digest_within none waits');

-- What the engine says and nobody knows.
update public.deployment_verdicts set summary = 'Disk pressure detected', details = '{disk_usage unstable in 90% of samples (limit 20%)}'
where deployment_id = (select d.id from public.deployments d where d.deployment_number = 105);
select fixture.send_due() \g /dev/null
select bag_eq(
    $$ select source, letters from public.email_unknown_engine_texts $$,
    $$ values ('Disk pressure detected', 1::bigint), ('disk_usage unstable in 90% of samples (limit 20%)', 1) $$,
    'a text without French is listed once'
);
insert into public.email_engine_texts (source, french) values ('Disk pressure detected', 'Le disque est presque plein.'), ('disk_usage unstable in {r}% of samples (limit {t}%)', 'disque au-dessus du seuil');
select is_empty($$ select * from public.email_unknown_engine_texts $$, 'until somebody adds it');

select * from finish();
rollback;
