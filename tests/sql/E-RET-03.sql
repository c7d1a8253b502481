-- E-RET-03: 14 days without activity.
begin;
\ir support/scans.sql
select plan(24);

select pg_temp.at('2026-03-20 06:20Z');
create temp table people (name text, person uuid);
insert into people values
('nadia', pg_temp.person('nadia@example.com', '2025-01-01Z', 'Asia/Kolkata')),
('signed up', pg_temp.person('s@example.com', '2026-03-06 06:20Z')),
('just not', pg_temp.person('j@example.com', '2026-03-06 06:20:00.000001Z')),
('created a project', pg_temp.person('p@example.com', '2025-01-01Z')),
('deployed', pg_temp.person('d@example.com', '2025-01-01Z')),
('viewed a verdict', pg_temp.person('v@example.com', '2025-01-01Z')),
('used something else', pg_temp.person('u@example.com', '2026-03-05Z')),
('long gone', pg_temp.person('l@example.com', '2025-01-01Z')),
('closed account', pg_temp.person('c@example.com', '2026-03-05Z', null, false));
create function pg_temp.who(called text) returns uuid language sql as $$ select person from people where name = called $$;
insert into email_signals (kind, user_id, payload, occurred_at) values
('login', pg_temp.who('nadia'), '{}', '2026-01-05 13:15Z'),
('login', pg_temp.who('nadia'), '{}', '2026-03-05 20:15Z'), -- the 6th in Kolkata: the key's day is by UTC
('verdict_viewed', pg_temp.who('viewed a verdict'), '{}', '2026-03-06Z'),
('pro_feature_attempted', pg_temp.who('used something else'), '{"feature": "export"}', '2026-03-15Z');
create temp table what as
select pg_temp.project(pg_temp.who('nadia'), 'Oldest', '2025-02-01Z') as oldest, pg_temp.project(pg_temp.who('nadia'), 'Latest deployment', '2025-03-01Z') as latest,
    pg_temp.project(pg_temp.who('nadia'), 'Newest', '2025-04-01Z') as newest, pg_temp.project(pg_temp.who('deployed'), 'D', '2025-02-01Z') as d,
    pg_temp.project(pg_temp.who('created a project'), 'P', '2026-03-05Z') as p;
select pg_temp.deploy(oldest, 2, '2025-05-01Z', '2025-06-01Z'), pg_temp.deploy(latest, 2, '2025-05-01Z', '2025-07-01Z'), pg_temp.deploy(d, 1, '2026-03-05Z', '2026-03-06Z', 'pending') from what;
create temp table key as select format('inactive_14d:%s:2026-03-05', pg_temp.who('nadia')) as k;

-- Cause ----------------------------------------------------------------------------------------------------------------------
select results_eq(
    $$ select p.name from email_audience('E-RET-03') a join people p on p.person = a.user_id order by 1 $$,
    $$ values ('created a project'), ('deployed'), ('nadia'), ('signed up'), ('used something else'), ('viewed a verdict') $$,
    'whose last sign-up, project, deployment, login or viewed verdict is 14 days old, to the microsecond'
);
select is(email_scan('E-RET-03'), 6, 'the scan enqueues a letter to each of the audience');
select is(email_scan('E-RET-03'), 0, 'a second scan enqueues nothing');
select results_eq(
    $$ select user_id, project_id, to_email, dedupe_key, run_at, due_at, payload from email_outbox where user_id = pg_temp.who('nadia') and email_type = 'E-RET-03' $$,
    $$ select pg_temp.who('nadia'), null::uuid, null::text, k, timestamptz '2026-03-19 20:15Z', timestamptz '2026-03-19 20:15Z', '{"last_active_day": "2026-03-05"}'::jsonb from key $$,
    'due at J14 to the second, under the last active day by UTC'
);
select is(
    (select g.verdict || ' ' || g.recipient || ' ' || (g.context - array['cta_path', 'first_name', 'time_zone', 'project_id', 'last_active_day'])::text from key, pg_temp.gate(k) g),
    'send nadia@example.com {"project_name": "Latest deployment", "last_active_at": "2026-03-05T20:15:00+00:00"}',
    'with the last activity and the project with the latest deployment'
);

-- Still true -----------------------------------------------------------------------------------------------------------------
savepoint s;
delete from deployments;
select is((select g.context ->> 'project_name' from key, pg_temp.gate(k) g), 'Newest', 'without deployments it is the newest project');
delete from projects;
select is((select g.context -> 'project_name' from key, pg_temp.gate(k) g), 'null'::jsonb, 'without a project it is null');
rollback to s;
insert into email_signals (kind, user_id, occurred_at) values ('login', pg_temp.who('nadia'), '2026-03-20 06:20Z');
select is((select g.reason from key, pg_temp.gate(k) g), 'active again since 2026-03-20', 'untrue after a login, also of this very moment');
rollback to s;
insert into email_signals (kind, user_id, occurred_at) values ('verdict_viewed', pg_temp.who('nadia'), '2026-03-20 01:00Z');
select is((select g.verdict from key, pg_temp.gate(k) g), 'suppress', 'untrue after a verdict was viewed');
rollback to s;
select pg_temp.deploy(newest, 1, '2026-03-20 01:00Z', '2026-03-20 02:00Z') from what;
select is((select g.verdict from key, pg_temp.gate(k) g), 'suppress', 'untrue after a deployment');
rollback to s;
select pg_temp.project(pg_temp.who('nadia'), 'Fresh', '2026-03-20 01:00Z');
select is((select g.verdict from key, pg_temp.gate(k) g), 'suppress', 'untrue after a new project');
rollback to s;
insert into email_signals (kind, user_id, payload, occurred_at) values ('pro_feature_attempted', pg_temp.who('nadia'), '{"feature": "export"}', '2026-03-20 01:00Z');
select is((select g.verdict from key, pg_temp.gate(k) g), 'send', 'other signals are no activity');
rollback to s;
delete from email_signals;
select is((select g.verdict from key, pg_temp.gate(k) g), 'send', 'true when what was the last activity is gone');
rollback to s;
update email_outbox set dedupe_key = 'by hand', payload = '{}' where dedupe_key = (select k from key);
select is((select g.verdict from pg_temp.gate('by hand') g), 'send', 'a row without a day is about the time before it was due');
insert into email_signals (kind, user_id, occurred_at) values ('login', pg_temp.who('nadia'), '2026-03-05 20:15:00.000001Z');
select is((select g.reason from pg_temp.gate('by hand') g), 'active again since 2026-03-05', 'untrue after an activity in the 14 days before that');
delete from email_signals where occurred_at = '2026-03-05 20:15:00.000001Z';
insert into email_signals (kind, user_id, occurred_at) values ('login', pg_temp.who('nadia'), '2026-03-19 20:15Z');
select is((select g.verdict from pg_temp.gate('by hand') g), 'suppress', 'and untrue after an activity since');
rollback to s;

-- A new lapse ----------------------------------------------------------------------------------------------------------------
insert into email_signals (kind, user_id, occurred_at) values ('login', pg_temp.who('nadia'), '2026-04-01 10:00Z');
select pg_temp.at('2026-04-16 06:20Z');
select email_scan('E-RET-03');
select results_eq(
    $$ select dedupe_key, run_at from email_outbox where user_id = pg_temp.who('nadia') and email_type = 'E-RET-03' order by run_at $$,
    $$ select k, timestamptz '2026-03-19 20:15Z' from key union all select format('inactive_14d:%s:2026-04-01', pg_temp.who('nadia')), '2026-04-15 10:00Z' $$,
    'has a new key; the clocks went forward in between and 14 days are 14 times 24 hours'
);
rollback to s;

-- What they did last is deleted: what was the last before it is no new lapse.
insert into email_signals (kind, user_id, occurred_at) values ('login', pg_temp.who('nadia'), '2026-03-03 12:00Z');
delete from email_signals where user_id = pg_temp.who('nadia') and occurred_at = '2026-03-05 20:15Z';
select is((select count(*) from email_audience('E-RET-03') a where a.user_id = pg_temp.who('nadia')), 0::bigint, 'when the last activity is deleted the one before it is not written about too');
delete from email_outbox;
select is((select count(*) from email_audience('E-RET-03') a where a.user_id = pg_temp.who('nadia')), 1::bigint, '(without the first letter it would be)');
rollback to s;

-- Late, and the past ---------------------------------------------------------------------------------------------------------
delete from email_outbox;
select pg_temp.at('2026-03-24 20:14:59Z');
select is((select count(*) from email_audience('E-RET-03') a where a.user_id = pg_temp.who('nadia')), 1::bigint, 'after an outage it still catches up');
select pg_temp.at('2026-03-24 20:15Z');
select is((select count(*) from email_audience('E-RET-03') a where a.user_id = pg_temp.who('nadia')), 0::bigint, 'but not with what has expired');
rollback to s;
delete from email_outbox;
update email_types set active_since = '2026-03-19 20:15:00.000001Z' where code = 'E-RET-03';
select results_eq(
    $$ select p.name from email_audience('E-RET-03') a join people p on p.person = a.user_id order by 1 $$,
    $$ values ('signed up'), ('viewed a verdict') $$,
    'who was inactive for 14 days before active_since is left alone, who gets there after it is not'
);
rollback to s;
select pg_temp.sent_and_gone(k) from key;
select is(email_scan('E-RET-03'), 0, 'what the journal remembers is not written again');
rollback to s;
delete from email_outbox;
update email_types set params = params || '{"inactive": "15 days"}' where code = 'E-RET-03';
select results_eq(
    $$ select p.name from email_audience('E-RET-03') a join people p on p.person = a.user_id order by 1 $$,
    $$ values ('created a project'), ('deployed'), ('used something else') $$,
    'a DBA tunes 14 to 15 days by UPDATE'
);

select * from finish();
rollback;
