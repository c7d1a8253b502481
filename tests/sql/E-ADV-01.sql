-- E-ADV-01: the NPS survey after 30 active days and more than 20 deployments.
begin;
\ir support/scans.sql
select plan(20);

select pg_temp.at('2026-03-20 06:40Z');
create temp table people (name text, person uuid);
insert into people select n, pg_temp.person(replace(n, ' ', '_') || '@example.com', '2026-01-01 10:00Z')
from unnest(array['reached', 'a day short', 'a deployment short', 'stopped', 'signals', 'two projects']) n;
insert into people values ('closed account', pg_temp.person('c@example.com', '2026-01-01 10:00Z', null, false)), ('young', pg_temp.person('y@example.com', '2026-03-10Z'));
create function pg_temp.who(called text) returns uuid language sql as $$ select person from people where name = called $$;
create temp table what as
select pg_temp.project(pg_temp.who('reached'), 'A', '2026-01-01 11:00Z') as a, pg_temp.project(pg_temp.who('a day short'), 'B', '2026-01-01 11:00Z') as b,
    pg_temp.project(pg_temp.who('a deployment short'), 'C', '2026-01-01 11:00Z') as c, pg_temp.project(pg_temp.who('stopped'), 'D', '2026-01-01 11:00Z') as d,
    pg_temp.project(pg_temp.who('signals'), 'E', '2026-01-01 11:00Z') as e, pg_temp.project(pg_temp.who('two projects'), 'F', '2026-01-01 11:00Z') as f,
    pg_temp.project(pg_temp.who('two projects'), 'G', '2026-01-01 11:00Z') as g, pg_temp.project(pg_temp.who('closed account'), 'H', '2026-01-01 11:00Z') as h,
    pg_temp.project(pg_temp.who('young'), 'I', '2026-03-10Z') as i;
-- 1 January counts as a day too: 29 others make 30.
select
    pg_temp.deploy(a, 29, '2026-02-19 09:00Z', '2026-03-20 09:00Z'), -- the last one at 09:00 on the 19th
    pg_temp.deploy(b, 28, '2026-02-20 09:00Z', '2026-03-20 09:00Z'), pg_temp.deploy(b, 9, '2026-03-19 10:00Z', '2026-03-19 11:00Z'),
    pg_temp.deploy(d, 40, '2026-01-30 09:00Z', '2026-03-11 09:00Z'),
    pg_temp.deploy(e, 21, '2026-03-01 09:00Z', '2026-03-01 10:00Z'),
    pg_temp.deploy(f, 15, '2026-02-04 09:00Z', '2026-02-19 09:00Z'), pg_temp.deploy(g, 16, '2026-03-04 09:00Z', '2026-03-20 09:00Z'),
    pg_temp.deploy(h, 40, '2026-01-30 09:00Z', '2026-03-11 09:00Z'),
    pg_temp.deploy(i, 60, '2026-03-10 09:00Z', '2026-03-20 06:00Z'),
    pg_temp.deploy(c, 20, '2026-02-19 09:00Z', '2026-03-11 09:00Z')
from what;
insert into email_signals (kind, user_id, occurred_at)
select 'login', pg_temp.who('signals'), d from generate_series(timestamptz '2026-02-20 09:00Z', '2026-03-05 09:00Z', interval '1 day') d
union all select 'verdict_viewed', pg_temp.who('signals'), d from generate_series(timestamptz '2026-03-05 09:00Z', '2026-03-19 09:00Z', interval '1 day') d
union all select 'login', pg_temp.who('a deployment short'), d from generate_series(timestamptz '2026-02-01 09:00Z', '2026-03-19 09:00Z', interval '1 day') d;

-- Cause ----------------------------------------------------------------------------------------------------------------------
select results_eq(
    $$ select p.name from email_audience('E-ADV-01') a join people p on p.person = a.user_id order by 1 $$,
    $$ values ('reached'), ('two projects') $$,
    '30 different active days, more than 20 deployments over all own projects, and active in the last week'
);
select is(email_scan('E-ADV-01'), 2, 'the scan enqueues a letter to each of the audience');
select is(email_scan('E-ADV-01'), 0, 'a second scan enqueues nothing');
select results_eq(
    $$ select user_id, project_id, to_email, dedupe_key, run_at, payload from email_outbox where user_id = pg_temp.who('reached') and email_type = 'E-ADV-01' $$,
    $$ select pg_temp.who('reached'), null::uuid, null::text, format('nps_survey:%s:30d', pg_temp.who('reached')), timestamptz '2026-03-20 06:40Z', '{}'::jsonb $$,
    'now, with the catalogue''s key'
);
savepoint s;
insert into email_signals (kind, user_id, occurred_at) values ('login', pg_temp.who('signals'), '2026-03-20 00:00Z');
select is(email_scan('E-ADV-01'), 1, 'logins and viewed verdicts make days as well');
rollback to s;
select pg_temp.deploy(c, 1, '2026-03-19 11:00Z', '2026-03-19 12:00Z', 'pending') from what;
select is(email_scan('E-ADV-01'), 1, 'one deployment more is more than 20');
rollback to s;
insert into email_signals (kind, user_id, occurred_at) values ('login', pg_temp.who('stopped'), '2026-03-20 00:00Z');
select is(email_scan('E-ADV-01'), 1, 'who stopped is asked when they use it again');
rollback to s;
update email_types set params = params || '{"active_days": 29}' where code = 'E-ADV-01';
select ok(exists(select from email_audience('E-ADV-01') a where a.user_id = pg_temp.who('a day short')), 'a DBA tunes the days');
select ok(not exists(select from email_audience('E-ADV-01') a where a.user_id = pg_temp.who('reached')), 'and that asks nobody twice');
update email_types set params = params || '{"active_days": 29, "min_deployments": 19}' where code = 'E-ADV-01';
select ok(exists(select from email_audience('E-ADV-01') a where a.user_id = pg_temp.who('a deployment short')), 'and the deployments');
rollback to s;

-- The past: the milestone is what counts --------------------------------------------------------------------------------------
delete from email_outbox;
update email_types set active_since = '2026-03-19 09:00Z' where code = 'E-ADV-01';
select ok(exists(select from email_audience('E-ADV-01') a where a.user_id = pg_temp.who('reached')), 'the 30th day began at active_since');
update email_types set active_since = '2026-03-19 09:00:00.000001Z' where code = 'E-ADV-01';
select ok(not exists(select from email_audience('E-ADV-01') a where a.user_id = pg_temp.who('reached')), 'or before it: not asked');
select pg_temp.at('2026-03-25Z');
select pg_temp.deploy(a, 30, '2026-03-20Z', '2026-03-25Z') from what;
select ok(not exists(select from email_audience('E-ADV-01') a where a.user_id = pg_temp.who('reached')), 'however active they are now');
-- Days long since, but the 21st deployment only today.
update email_types set params = params || '{"min_deployments": 58}' where code = 'E-ADV-01';
select ok(exists(select from email_audience('E-ADV-01') a where a.user_id = pg_temp.who('reached')), 'the milestone is the later of the two');
rollback to s;
select pg_temp.sent_and_gone(format('nps_survey:%s:30d', pg_temp.who('reached')));
select is(email_scan('E-ADV-01'), 0, 'what the journal remembers is not written again');
rollback to s;

-- Figures, and always true ------------------------------------------------------------------------------------------------------
update deployments set state = 'running' where project_id = (select a from what) and deployment_number = 29;
update deployments set state = 'finished' where project_id = (select a from what) and deployment_number = 28;
select is(
    (select g.verdict || ' ' || g.recipient || ' ' || (g.context - array['cta_path', 'first_name', 'time_zone'])::text from pg_temp.gate(format('nps_survey:%s:30d', pg_temp.who('reached'))) g),
    'send reached@example.com {"active_days": 77, "deployments": 28}',
    'finished deployments, and days since the first activity'
);
delete from projects;
select is(
    (select g.verdict || ' ' || (g.context ->> 'deployments') from pg_temp.gate(format('nps_survey:%s:30d', pg_temp.who('reached'))) g),
    'send 0', 'it stays true whatever happens'
);
rollback to s;

-- The borders of the week that makes somebody engaged ---------------------------------------------------------------------------
delete from email_outbox;
select pg_temp.at('2026-03-26 09:00Z');
select ok(exists(select from email_audience('E-ADV-01') a where a.user_id = pg_temp.who('reached')), 'after an outage: who was active seven days ago is asked');
select pg_temp.at('2026-03-26 09:00:00.000001Z');
select ok(not exists(select from email_audience('E-ADV-01') a where a.user_id = pg_temp.who('reached')), 'and who was not is left alone until they come back');
select is(pg_temp.letters('E-ADV-01'), 0::bigint, 'looking enqueued nothing');

select * from finish();
rollback;
