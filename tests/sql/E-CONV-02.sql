-- E-CONV-02: free quota at 90 %. What it shares with E-CONV-01 is tested there.
begin;
\ir support/scans.sql
select plan(17);

select pg_temp.at('2026-03-18 12:00Z');
create temp table what as
select
    pg_temp.project(nadia, 'Checkout API', '2025-01-02Z') as checkout,
    pg_temp.project(nadia, 'Too few', '2025-01-02Z') as few,
    pg_temp.project(nadia, 'Full', '2025-01-02Z') as spent,
    pg_temp.project(nadia, 'Enterprise', '2025-01-02Z', 'enterprise') as paid,
    nadia
from (select pg_temp.person('nadia@example.com', '2025-01-01Z') as nadia) who;
select pg_temp.deploy(checkout, 47, '2026-03-01Z', '2026-03-18 09:00Z'),
    pg_temp.deploy(few, 44, '2026-03-01Z', '2026-03-18 09:00Z'),
    pg_temp.deploy(spent, 50, '2026-03-01Z', '2026-03-18 09:00Z'),
    pg_temp.deploy(paid, 47, '2026-03-01Z', '2026-03-18 09:00Z')
from what;
create temp table key as select format('free_quota_90:%s:2026-03', checkout) as k from what;

select is(email_scan('E-CONV-02'), 1, 'only the free project between 45 and 49 deployments this month');
select results_eq(
    $$ select user_id, project_id, to_email, dedupe_key, run_at, payload from email_outbox where email_type = 'E-CONV-02' $$,
    $$ select nadia, checkout, null::text, k, timestamptz '2026-03-18 12:00Z', '{"month": "2026-03"}'::jsonb from what, key $$,
    'is written to once, now'
);
select is(email_scan('E-CONV-02'), 0, 'scanned again it enqueues nothing');
select is(email_scan('E-CONV-01'), 1, 'E-CONV-01 is for the other one');
select is(
    (select g.verdict || ' ' || g.recipient || ' ' || (g.context - 'cta_path' - 'time_zone' - 'month' - 'first_name' - 'project_id')::text from key, pg_temp.gate(k) g),
    'send nadia@example.com {"alerts": 0, "resets_on": "2026-04-01", "project_name": "Checkout API", "deployments_used": 47, "deployments_limit": 50, "deployments_per_day": 2.7, "estimated_days_left": 2}',
    'with its figures: 3 left at 2.7 a day'
);

savepoint s;
select pg_temp.deploy(checkout, 2, '2026-03-18 10:00Z', '2026-03-18 11:00Z') from what;
select is((select g.verdict from key, pg_temp.gate(k) g), 'send', 'true with 49');
select pg_temp.deploy(checkout, 1, '2026-03-18 10:00Z', '2026-03-18 11:00Z') from what;
select is((select g.reason from key, pg_temp.gate(k) g), '50 deployments are used by now, 50 or more', 'untrue with 50: the quota is reached');
rollback to s;
delete from deployments where deployment_number > 45 and project_id = (select checkout from what);
select is((select g.verdict from key, pg_temp.gate(k) g), 'send', 'true with 45');
delete from deployments where deployment_number > 44 and project_id = (select checkout from what);
select is((select g.reason from key, pg_temp.gate(k) g), '44 deployments are used, fewer than 45', 'untrue when deployments were removed');
rollback to s;
update projects set plan = 'pro' where name = 'Checkout API';
select is((select g.reason from key, pg_temp.gate(k) g), 'project is not free any more', 'untrue once the project is paid for');
rollback to s;
delete from projects where name = 'Checkout API';
select is((select g.reason from key, pg_temp.gate(k) g), 'no such project', 'untrue once the project is deleted');
rollback to s;
select pg_temp.at('2026-04-01 00:00Z');
update email_types set expires_after = '1 year' where code = 'E-CONV-02';
select is((select g.reason from key, pg_temp.gate(k) g), 'the month it is about is over', 'untrue once the quota is new');
rollback to s;
select pg_temp.at('2026-03-18 12:00Z');

select pg_temp.sent_and_gone(k) from key;
select is(email_scan('E-CONV-02'), 0, 'what the journal remembers is not written again');
rollback to s;
delete from email_outbox;
update email_types set active_since = (select started_at + interval '1 microsecond' from deployments where deployment_number = 45 and project_id = (select checkout from what)) where code = 'E-CONV-02';
select is(email_scan('E-CONV-02'), 0, 'who had 45 before active_since is left alone');
update email_types set active_since = active_since - interval '1 microsecond' where code = 'E-CONV-02';
select is(email_scan('E-CONV-02'), 1, 'who had them at active_since is not');
rollback to s;
delete from email_outbox;
update email_types set params = params || '{"quota": 47}' where code = 'E-CONV-02';
select is(email_scan('E-CONV-02'), 0, 'a smaller quota leaves nobody between');
rollback to s;
select is(pg_temp.letters('E-CONV-02'), 1::bigint, 'a second scan leaves one row of the key');

select * from finish();
rollback;
