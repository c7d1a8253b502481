-- E-RET-02: the activity of a user's projects dropped.
begin;
\ir support/scans.sql
select plan(30);

-- The owner lives in New York: week 11 of 2026 is Monday 9 March 04:00Z (clocks went forward the day before) to 16 March 04:00Z,
-- week 10 begins on 2 March 05:00Z and is an hour short.
create temp table what as
select
    nadia,
    pg_temp.project(nadia, 'Checkout API', '2025-01-02Z') as checkout,
    pg_temp.project(nadia, 'Half', '2025-01-02Z') as half,
    pg_temp.project(nadia, 'More than half', '2025-01-02Z') as more,
    pg_temp.project(nadia, 'Too little to tell', '2025-01-02Z') as little,
    pg_temp.project(nadia, 'Four, then none', '2025-01-02Z', 'pro') as four,
    pg_temp.project(nadia, 'Steady', '2025-01-02Z') as steady,
    pg_temp.project(nadia, 'Recovered', '2025-01-02Z') as recovered,
    pg_temp.project(pg_temp.person('gone@example.com', '2025-01-01Z', null, false), 'Of a closed account', '2025-01-02Z') as closed
from (select pg_temp.person('nadia@example.com', '2025-01-01Z', 'America/New_York') as nadia) who;
-- Each of another user, so that every one has a letter of its own; two keep theirs.
update projects p set owner_id = pg_temp.person(replace(p.name, ' ', '.') || '@example.com', '2025-01-01Z', 'America/New_York')
from what where p.owner_id = nadia and p.name not in ('Checkout API', 'Steady');
select
    pg_temp.deploy(checkout, 20, '2026-03-02 05:00Z', '2026-03-09 04:00Z'), pg_temp.deploy(checkout, 7, '2026-03-09 04:00Z', '2026-03-16 04:00Z'),
    pg_temp.deploy(half, 8, '2026-03-02 05:00Z', '2026-03-09 04:00Z'),      pg_temp.deploy(half, 4, '2026-03-09 04:00Z', '2026-03-16 04:00Z'),
    pg_temp.deploy(more, 8, '2026-03-02 05:00Z', '2026-03-09 04:00Z'),      pg_temp.deploy(more, 5, '2026-03-09 04:00Z', '2026-03-16 04:00Z'),
    pg_temp.deploy(little, 3, '2026-03-02 05:00Z', '2026-03-09 04:00Z'),
    pg_temp.deploy(four, 4, '2026-03-02 05:00Z', '2026-03-09 04:00Z'),
    pg_temp.deploy(steady, 9, '2026-03-02 05:00Z', '2026-03-09 04:00Z'),    pg_temp.deploy(steady, 9, '2026-03-09 04:00Z', '2026-03-16 04:00Z'),
    pg_temp.deploy(recovered, 8, '2026-03-02 05:00Z', '2026-03-09 04:00Z'), pg_temp.deploy(recovered, 5, '2026-03-16 04:00Z', '2026-03-16 06:00Z'),
    pg_temp.deploy(closed, 20, '2026-03-02 05:00Z', '2026-03-09 04:00Z')
from what;
create temp table key as select format('activity_drop:%s:2026-W11', nadia) as k from what;

select pg_temp.at('2026-03-16 03:59:59Z');
select is(email_scan('E-RET-02'), 0, 'week 11 is not over before midnight in New York: what is over is week 10, with nothing before it');
select pg_temp.at('2026-03-16 06:10Z');
select results_eq(
    $$ select p.name::text from email_audience('E-RET-02') a join projects p on p.owner_id = a.user_id and p.name <> 'Steady' order by 1 $$,
    $$ values ('Checkout API'), ('Four, then none'), ('Half') $$,
    'at most half of the week before, of at least four; not those that recovered'
);
select is(email_scan('E-RET-02'), 3, 'the scan enqueues a letter to each of the audience');
select is(email_scan('E-RET-02'), 0, 'a second scan enqueues nothing');
select results_eq(
    $$ select user_id, project_id, to_email, dedupe_key, run_at, payload from email_outbox where email_type = 'E-RET-02' and user_id = (select nadia from what) $$,
    $$ select nadia, null::uuid, null::text, k, timestamptz '2026-03-16 06:10Z', '{"week_start": "2026-03-09"}'::jsonb from what, key $$,
    'the owner, now, under the week that was low'
);
select is(
    (select g.verdict || ' ' || g.recipient || ' ' || (g.context - array['cta_path', 'answer_key', 'first_name', 'time_zone', 'project_id', 'projects', 'week_start'])::text from key, pg_temp.gate(k) g),
    'send nadia@example.com {"deployments": 7, "project_name": "Checkout API", "previous_deployments": 20}',
    'with both weeks'
);
select is((select g.context -> 'projects' from key, pg_temp.gate(k) g),
    (select jsonb_build_array(jsonb_build_object('project_id', checkout, 'name', 'Checkout API', 'deployments', 7, 'previous_deployments', 20)) from what), 'of the project that dropped; the steady one is not there');
select pg_temp.at('2026-03-19Z');
select is(email_scan('E-RET-02'), 0, 'the same week is not found again later');

-- Still true -----------------------------------------------------------------------------------------------------------------
savepoint s;
select is((select g.verdict from key, pg_temp.gate(k) g), 'send', 'true while nothing happens');
select pg_temp.deploy(checkout, 5, '2026-03-17Z', '2026-03-18Z') from what;
select is((select count(*) from deployments d, what where d.project_id = checkout and d.started_at > '2026-03-12Z'), 9::bigint, '(nine in the last seven days)');
select is((select g.verdict from key, pg_temp.gate(k) g), 'send', 'true while the last seven days are no more than half');
select pg_temp.deploy(checkout, 2, '2026-03-17Z', '2026-03-18Z') from what;
select is((select g.reason from key, pg_temp.gate(k) g), 'recovered: 11 deployments in the last seven days', 'untrue once they are more');
update projects p set owner_id = nadia from what where p.name = 'Half';
select is((select g.context - array['cta_path', 'answer_key', 'first_name', 'time_zone', 'project_id', 'projects', 'week_start'] from key, pg_temp.gate(k) g),
    '{"deployments": 4, "project_name": "Half", "previous_deployments": 8}'::jsonb, 'unless another project of theirs did not recover: then it is about that one');
rollback to s;
update projects p set owner_id = nadia from what where p.name in ('Half', 'Four, then none', 'More than half');
select is((select g.context - array['cta_path', 'answer_key', 'first_name', 'time_zone', 'week_start'] from key, pg_temp.gate(k) g),
    (select jsonb_build_object('deployments', 11, 'previous_deployments', 32, 'project_name', null, 'project_id', null, 'projects', jsonb_build_array(
        jsonb_build_object('project_id', checkout, 'name', 'Checkout API', 'deployments', 7, 'previous_deployments', 20),
        jsonb_build_object('project_id', four, 'name', 'Four, then none', 'deployments', 0, 'previous_deployments', 4),
        jsonb_build_object('project_id', half, 'name', 'Half', 'deployments', 4, 'previous_deployments', 8))) from what),
    'three projects that dropped: a line each in one letter, the greatest loss first');
delete from email_outbox;
select is((select array_agg(a.dedupe_key) from email_audience('E-RET-02') a join what on a.user_id = nadia), (select array[k] from key), 'which the scan finds once');
rollback to s;
delete from projects where name in ('Checkout API', 'Steady');
select is((select g.reason from key, pg_temp.gate(k) g), 'no such project', 'untrue once the project is deleted');
rollback to s;
delete from projects where name = 'Steady';
delete from deployments d where d.project_id = (select checkout from what) and d.started_at < '2026-03-08Z';
select is((select g.reason from key, pg_temp.gate(k) g), 'no drop: 3 deployments in the week before, fewer than 4', 'untrue when there were too few before it to tell');
rollback to s;
delete from projects where name = 'Steady';
delete from deployments d where d.project_id = (select checkout from what);
select is((select g.reason from key, pg_temp.gate(k) g), 'no drop: 0 deployments in the week before, fewer than 4', 'nobody is told of 0 after 0');
rollback to s;
delete from projects where name = 'Steady';
delete from deployments d where d.project_id = (select checkout from what) and d.started_at < '2026-03-06Z';
select is((select g.reason from key, pg_temp.gate(k) g), 'no drop: 7 deployments after 9', 'untrue when the figures do not bear it any more');
rollback to s;
update email_outbox set payload = '{}' where email_type = 'E-RET-02';
select is((select g.context ->> 'project_name' || ' ' || (g.context ->> 'deployments') from key, pg_temp.gate(k) g), 'Checkout API 7', 'the week is read from the key');
rollback to s;
-- An hour is missing from week 10 in New York: seven times 24 hours before Monday 05:00 local reach into the Sunday before it.
select pg_temp.at('2026-03-09 04:30Z');
insert into email_outbox (email_type, user_id, project_id, dedupe_key) select 'E-RET-02', nadia, null, format('activity_drop:%s:2026-W10', nadia) from what;
delete from deployments where project_id = (select steady from what);
select pg_temp.deploy(steady, 8, '2026-03-02 04:30:01Z', '2026-03-02 05:00Z') from what;
select is((select g.verdict || ' ' || (g.context ->> 'deployments') from what, pg_temp.gate(format('activity_drop:%s:2026-W10', nadia)) g), 'send 0',
    'a week that is an hour short does not make the week before it look like a recovery');
rollback to s;

-- The past and the thresholds -------------------------------------------------------------------------------------------------
delete from email_outbox;
select is(email_scan('E-RET-02'), 3, 'an outage of days: found late in week N+1');
delete from email_outbox;
select pg_temp.at('2026-03-23 03:59:59Z');
select is((select count(*) from email_audience('E-RET-02')), 3::bigint, 'until that week is over');
select pg_temp.at('2026-03-23 04:00Z');
select is((select count(*) from email_audience('E-RET-02') a where a.dedupe_key like '%W11'), 0::bigint, 'and then not any more');
select is((select count(*) from email_audience('E-RET-02') a where a.dedupe_key like '%W12'), 3::bigint, 'then week 12 is the low one: of those that had deployments in week 11');
rollback to s;
delete from email_outbox;
update email_types set active_since = '2026-03-16 04:00:00.000001Z' where code = 'E-RET-02';
select is(email_scan('E-RET-02'), 0, 'a week that ended before active_since is not looked at');
update email_types set active_since = '2026-03-16 04:00Z' where code = 'E-RET-02';
select is(email_scan('E-RET-02'), 3, 'one that ended at active_since is');
rollback to s;
select pg_temp.sent_and_gone(k) from key;
select is(email_scan('E-RET-02'), 0, 'what the journal remembers is not written again');
rollback to s;
delete from email_outbox;
update email_types set params = params || '{"drop_percent": 20, "min_deployments": 3}' where code = 'E-RET-02';
select results_eq(
    $$ select p.name::text from email_audience('E-RET-02') a join projects p on p.owner_id = a.user_id and p.name <> 'Steady' order by 1 $$,
    $$ values ('Four, then none'), ('Too little to tell') $$,
    'a DBA tunes both thresholds by UPDATE'
);
rollback to s;
update email_preferences set timezone = 'Mars/Olympus';
delete from email_outbox;
select pg_temp.at('2026-03-16 06:10Z');
select lives_ok($$ select email_scan('E-RET-02') $$, 'an unknown zone breaks nothing');

select * from finish();
rollback;
