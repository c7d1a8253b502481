-- E-CONV-01: free quota at 80 %.
begin;
\ir support/scans.sql
select plan(36);

select pg_temp.at('2026-03-18 12:00Z');
create temp table who as
select pg_temp.person('nadia@example.com', '2025-01-01Z', 'Asia/Kolkata') as nadia;
create temp table what as
select
    pg_temp.project(nadia, 'Checkout API', '2025-01-02Z') as checkout,
    pg_temp.project(nadia, 'Too few', '2025-01-02Z') as few,
    pg_temp.project(nadia, 'Too many', '2025-01-02Z') as many,
    pg_temp.project(nadia, 'Paid for', '2025-01-02Z', 'pro') as paid,
    pg_temp.project(nadia, 'Last month', '2025-01-02Z') as last_month,
    pg_temp.project(pg_temp.person('gone@example.com', '2025-01-01Z', null, false), 'Of a closed account', '2025-01-02Z') as closed
from who;
select pg_temp.deploy(checkout, 42, '2026-03-01Z', '2026-03-18 09:00Z'),
    pg_temp.deploy(few, 39, '2026-03-01Z', '2026-03-18 09:00Z'),
    pg_temp.deploy(few, 5, '2026-03-18 13:00Z', '2026-03-18 14:00Z'), -- not started yet
    pg_temp.deploy(many, 45, '2026-03-01Z', '2026-03-18 09:00Z'),
    pg_temp.deploy(paid, 42, '2026-03-01Z', '2026-03-18 09:00Z'),
    pg_temp.deploy(last_month, 30, '2026-02-10Z', '2026-03-01Z'),
    pg_temp.deploy(last_month, 30, '2026-03-01Z', '2026-03-18 09:00Z'),
    pg_temp.deploy(closed, 42, '2026-03-01Z', '2026-03-18 09:00Z')
from what;
create temp table key as select format('free_quota_80:%s:2026-03', checkout) as k from what;

-- Cause ---------------------------------------------------------------------------------------------------------------
select results_eq(
    $$ select user_id, project_id, to_email, dedupe_key, run_at from email_audience('E-CONV-01') $$,
    $$ select nadia, checkout, null::text, k, timestamptz '2026-03-18 12:00Z' from who, what, key $$,
    'only the free project between 40 and 44 deployments this month is in the audience'
);
select is(pg_temp.letters('E-CONV-01'), 0::bigint, 'looking at the audience enqueues nothing');
select is(email_scan('E-CONV-01'), 1, 'the scan enqueues it');
select results_eq(
    $$ select user_id, project_id, to_email, dedupe_key, run_at, due_at, status, payload from email_outbox where email_type = 'E-CONV-01' $$,
    $$ select nadia, checkout, null::text, k, timestamptz '2026-03-18 12:00Z', timestamptz '2026-03-18 12:00Z', 'queued', '{"month": "2026-03"}'::jsonb from who, what, key $$,
    'as one row for its owner, due now'
);
select is(email_scan('E-CONV-01'), 0, 'scanned again it enqueues nothing');
select is(pg_temp.letters('E-CONV-01'), 1::bigint, 'a second scan leaves one row of the key');
select is_empty($$ select * from email_audience('E-CONV-01') $$, 'a key that is known is not in the audience');

-- Figures --------------------------------------------------------------------------------------------------------------
select pg_temp.judge(checkout, 1, 'warning'), pg_temp.judge(checkout, 2, 'rollback_recommended'), pg_temp.judge(checkout, 3, 'ok') from what;
select results_eq(
    $$ select g.verdict, g.reason, g.recipient from key, pg_temp.gate(k) g $$,
    $$ values ('send', null::text, 'nadia@example.com') $$,
    'it goes to its owner'
);
select is(
    (select g.context - 'cta_path' from key, pg_temp.gate(k) g),
    (select jsonb_build_object('first_name', 'Nadia', 'time_zone', 'Asia/Kolkata', 'month', '2026-03', 'project_name', 'Checkout API',
        'project_id', checkout, 'deployments_used', 42, 'deployments_limit', 50, 'deployments_per_day', 2.4, 'estimated_days_left', 4,
        'alerts', 2, 'resets_on', '2026-04-01') from what),
    '42 in 17.5 days are 2.4 a day: the remaining 8 last 3.3 days, rounded up; the last seven days had 16 (2.3 a day)'
);
select pg_temp.at('2026-03-27 12:00Z');
select is((select g.context -> 'estimated_days_left' from key, pg_temp.gate(k) g), 'null'::jsonb,
    'no estimate when the month ends before the quota');
select is((select g.context -> 'deployments_per_day' from key, pg_temp.gate(k) g), '1.6'::jsonb, 'the pace is of this month''s days so far, the last week being calm');
savepoint calm;
-- 28 in the last seven days, the other 14 before: 4 a day are faster than 42 in 17.5 days.
select pg_temp.at('2026-03-18 12:00Z');
update deployments d set started_at = case when d.deployment_number <= 14 then timestamptz '2026-03-02Z' else timestamptz '2026-03-12Z' end + d.deployment_number * interval '1 minute'
from what where d.project_id = checkout;
select is((select array[g.context -> 'deployments_per_day', g.context -> 'estimated_days_left'] from key, pg_temp.gate(k) g), array['4.0', '2']::jsonb[],
    'the pace of the last seven days counts when it is faster: 8 left at 4 a day');
select pg_temp.at('2026-03-25 12:00Z');
select is((select array[g.context -> 'deployments_per_day', g.context -> 'estimated_days_left'] from key, pg_temp.gate(k) g), array['1.7', '5']::jsonb[],
    'and that since the month began when a calm week followed: 42 in 24.5 days');
rollback to calm;
select pg_temp.at('2026-03-18 12:00Z');

-- Still true -----------------------------------------------------------------------------------------------------------
savepoint s;
update projects set plan = 'pro' where name = 'Checkout API';
select is((select g.reason from key, pg_temp.gate(k) g), 'project is not free any more', 'untrue once the project is paid for');
rollback to s;
select pg_temp.deploy(checkout, 2, '2026-03-18 10:00Z', '2026-03-18 11:00Z') from what;
select is((select g.verdict from key, pg_temp.gate(k) g), 'send', 'true with 44');
delete from email_outbox;
select is((select count(*) from email_audience('E-CONV-01') a join what on a.project_id = checkout), 1::bigint, 'and found with 44');
rollback to s;
select pg_temp.deploy(checkout, 2, '2026-03-18 10:00Z', '2026-03-18 11:00Z') from what;
select pg_temp.deploy(checkout, 1, '2026-03-18 10:00Z', '2026-03-18 11:00Z') from what;
select is((select g.reason from key, pg_temp.gate(k) g), '45 deployments are used by now, 45 or more', 'untrue with 45: the next letter''s turn');
rollback to s;
delete from deployments where deployment_number > 39 and project_id = (select checkout from what);
select is((select g.reason from key, pg_temp.gate(k) g), '39 deployments are used, fewer than 40', 'untrue when deployments were removed');
rollback to s;
update email_types set expires_after = '1 year' where code = 'E-CONV-01';
select pg_temp.at('2026-04-01 00:00Z');
select is((select g.reason from key, pg_temp.gate(k) g), 'the month it is about is over', 'untrue once the quota is new');
rollback to s;
select pg_temp.at('2026-03-18 12:00Z');
delete from projects where name = 'Checkout API';
select is((select g.reason from key, pg_temp.gate(k) g), 'no such project', 'untrue once the project is deleted');
rollback to s;

-- Once, for ever -------------------------------------------------------------------------------------------------------
select pg_temp.sent_and_gone(k) from key;
select is(email_scan('E-CONV-01'), 0, 'what the journal remembers is not written again when the outbox row is gone');
rollback to s;

-- A row that lacks its ids: they are in the key -----------------------------------------------------------------------------
update email_outbox set project_id = null, payload = '{}' where email_type = 'E-CONV-01';
select is((select g.context ->> 'project_name' from key, pg_temp.gate(k) g), 'Checkout API', 'the project is read from the key');
update email_outbox set dedupe_key = 'by hand' where email_type = 'E-CONV-01';
select is((select g.verdict || coalesce(g.context ->> 'project_name', ' without') from pg_temp.gate('by hand') g), 'send without',
    'without an id anywhere there are no figures, and the letter fails naming the first it lacks');
rollback to s;

-- The past and the thresholds ---------------------------------------------------------------------------------------------
delete from email_outbox;
update email_types set active_since = (select started_at from deployments where deployment_number = 40 and project_id = (select checkout from what)) where code = 'E-CONV-01';
select is(email_scan('E-CONV-01'), 1, 'it is about the 40th deployment: at active_since it counts');
delete from email_outbox;
update email_types set active_since = active_since + interval '1 microsecond' where code = 'E-CONV-01';
select is(email_scan('E-CONV-01'), 0, 'before active_since it does not, however many came after');
select pg_temp.at('2026-04-18 12:00Z');
select pg_temp.deploy(checkout, 40, '2026-04-01Z', '2026-04-18Z') from what;
select is(email_scan('E-CONV-01'), 1, 'the next month is a new fact');
select results_eq(
    $$ select dedupe_key from email_outbox where email_type = 'E-CONV-01' $$, $$ select format('free_quota_80:%s:2026-04', checkout) from what $$,
    'with a new key'
);
rollback to s;
select pg_temp.at('2026-03-18 12:00Z');
update email_types set params = params || '{"threshold": 35}' where code = 'E-CONV-01';
select is(email_scan('E-CONV-01'), 1, 'a DBA tunes 40 to 35 by UPDATE: 39 are enough');
select is((select count(*) from email_outbox where project_id = (select few from what) and email_type = 'E-CONV-01'), 1::bigint, 'for the project with 39');
rollback to s;
update email_types set params = params || '{"threshold": 42}' where code = 'E-CONV-02';
select is((select g.verdict from key, pg_temp.gate(k) g), 'suppress', 'its upper end is E-CONV-02''s threshold, wherever a DBA puts it');
rollback to s;

-- Types that do not write --------------------------------------------------------------------------------------------------
delete from email_outbox;
update email_types set enabled = false where code = 'E-CONV-01';
select is(email_scan('E-CONV-01'), 0, 'disabled: the scan enqueues nothing');
select is_empty($$ select * from email_audience('E-CONV-01') $$, 'disabled: nobody would be written to');
rollback to s;
delete from email_outbox;
select email_pause('E-CONV-01');
select is(email_scan('E-CONV-01'), 0, 'paused: the scan enqueues nothing');
select is((select count(*) from email_audience('E-CONV-01')), 1::bigint, 'paused: the audience shows who is waiting');
select email_resume('E-CONV-01');
select is(email_scan('E-CONV-01'), 1, 'resumed: they are written to');
rollback to s;

-- On the first morning ------------------------------------------------------------------------------------------------------
select pg_temp.at('2026-05-01 06:00Z');
select pg_temp.deploy(checkout, 40, '2026-05-01Z', '2026-05-01 06:00Z') from what;
select email_scan('E-CONV-01');
select is(
    (select g.context - 'month' ->> 'estimated_days_left' from what, pg_temp.gate(format('free_quota_80:%s:2026-05', checkout)) g), '1',
    'the first hours count as a whole day: no division by next to nothing'
);

select * from finish();
rollback;
