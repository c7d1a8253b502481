-- E-RET-04: 30 days without activity, in two steps.
begin;
\ir support/scans.sql
select plan(29);

select pg_temp.at('2026-03-20 06:30Z');
create temp table people (name text, person uuid);
insert into people values
('nadia', pg_temp.person('nadia@example.com', '2025-01-01Z', 'America/Sao_Paulo')),
('just not', pg_temp.person('j@example.com', '2026-02-18 06:30:00.000001Z')),
('long gone', pg_temp.person('l@example.com', '2025-01-01Z')),
('closed account', pg_temp.person('c@example.com', '2026-02-18Z', null, false));
create function pg_temp.who(called text) returns uuid language sql as $$ select person from people where name = called $$;
insert into email_signals (kind, user_id, occurred_at) values ('login', pg_temp.who('nadia'), '2026-02-18 00:15Z');
select pg_temp.project(pg_temp.who('nadia'), 'API Gateway', '2025-02-01Z');
create temp table key as select format('inactive_30d:%s:2026-02-18:J30', pg_temp.who('nadia')) as j30, format('inactive_30d:%s:2026-02-18:J37', pg_temp.who('nadia')) as j37;

-- Cause ----------------------------------------------------------------------------------------------------------------------
select is(email_scan('E-RET-04'), 2, 'whose last activity is 30 days old gets both steps');
select is(email_scan('E-RET-04'), 0, 'a second scan enqueues nothing');
select results_eq(
    $$ select user_id, project_id, to_email, dedupe_key, run_at, due_at, payload from email_outbox where email_type = 'E-RET-04' order by run_at $$,
    $$ select pg_temp.who('nadia'), null::uuid, null::text, j30, timestamptz '2026-03-20 00:15Z', timestamptz '2026-03-20 00:15Z', '{"step": "J30", "last_active_day": "2026-02-18"}'::jsonb from key
       union all select pg_temp.who('nadia'), null, null, j37, '2026-03-27 00:15Z', '2026-03-27 00:15Z', '{"step": "J37", "last_active_day": "2026-02-18"}' from key $$,
    'J30 due since then, J37 a week later, to the second'
);
select is(
    (select g.verdict || ' ' || g.recipient || ' ' || (g.context - array['cta_path', 'answer_key', 'first_name', 'time_zone', 'project_id', 'last_active_day'])::text from key, pg_temp.gate(j30) g),
    'send nadia@example.com {"step": "J30", "project_name": "API Gateway", "last_active_at": "2026-02-18T00:15:00+00:00"}',
    'with the step and the last activity'
);
select pg_temp.at('2026-03-27 00:15Z');
select is((select g.verdict || ' ' || (g.context ->> 'step') from key, pg_temp.gate(j37) g), 'send J37', 'J37 while they stay away');

select is(
    (select g.context - array['cta_path', 'answer_key', 'first_name', 'time_zone', 'project_id', 'last_active_day'] from key, pg_temp.gate(j37) g),
    '{"step": "J37", "project_name": "API Gateway", "last_active_at": "2026-02-18T00:15:00+00:00"}'::jsonb, 'with the same figures'
);
-- What they did last is deleted: what was the last before it is no new lapse.
savepoint s;
insert into email_signals (kind, user_id, occurred_at) values ('login', pg_temp.who('nadia'), '2026-02-15 12:00Z');
delete from email_signals where user_id = pg_temp.who('nadia') and occurred_at = '2026-02-18 00:15Z';
select is((select count(*) from email_audience('E-RET-04') a where a.user_id = pg_temp.who('nadia')), 0::bigint, 'when the last activity is deleted the one before it starts no second sequence');
select pg_temp.sent_and_gone(j30), pg_temp.sent_and_gone(j37) from key;
select is((select count(*) from email_audience('E-RET-04') a where a.user_id = pg_temp.who('nadia')), 0::bigint, 'also when only the journal remembers the first');
delete from email_deliveries;
select is((select count(*) from email_audience('E-RET-04') a where a.user_id = pg_temp.who('nadia')), 2::bigint, '(without the first it would)');
rollback to s;

-- The letter's own button ends it too ------------------------------------------------------------------------------------
savepoint s;
insert into email_signals (kind, user_id, occurred_at) values ('still_active', pg_temp.who('nadia'), '2026-03-20 07:00Z');
select is((select g.reason from key, pg_temp.gate(j37) g), 'active again since 2026-03-20', 'who said "I stay" after J30 gets no J37');
select is((select count(*) from email_audience('E-RET-03') a where a.user_id = pg_temp.who('nadia')), 0::bigint, 'and is not inactive at once again');
rollback to s;

-- So does the second factor, the only trace that a login leaves in the application ---------------------------------------------
savepoint s;
update users set twofa_last_verified_at = '2026-03-20 07:00Z' where id = pg_temp.who('nadia');
select is((select g.reason from key, pg_temp.gate(j37) g), 'active again since 2026-03-20', 'who verified a second factor after J30 gets no J37');
select is((select max(a.active_at) from email_activity(pg_temp.who('nadia'), '2026-03-01Z', '2026-04-01Z') a), '2026-03-20 07:00Z', 'and was active then');
rollback to s;

-- Coming back ends the sequence --------------------------------------------------------------------------------------------
savepoint s;
insert into email_signals (kind, user_id, occurred_at) values ('login', pg_temp.who('nadia'), '2026-03-20 07:00Z');
select is((select g.reason from key, pg_temp.gate(j37) g), 'active again since 2026-03-20', 'who came back after J30 gets no J37');
select is((select g.verdict from key, pg_temp.gate(j30) g), 'suppress', 'nor J30, if it still waits');
select pg_temp.at('2026-04-19 07:00Z');
select is(email_scan('E-RET-04'), 2, 'a new lapse is a new sequence');
select set_eq(
    $$ select dedupe_key from email_outbox where email_type = 'E-RET-04' and dedupe_key like '%2026-03-20%' $$,
    $$ select format('inactive_30d:%s:2026-03-20:%s', pg_temp.who('nadia'), s) from unnest(array['J30', 'J37']) s $$,
    'with keys of its own'
);
rollback to s;
update email_outbox set payload = '{}' where dedupe_key = (select j37 from key);
select is((select g.verdict || ' ' || (g.context ->> 'step') from key, pg_temp.gate(j37) g), 'send J37', 'the step is read from the key');
rollback to s;

-- Late, and the past ---------------------------------------------------------------------------------------------------------
delete from email_outbox;
select is((select count(*) from email_audience('E-RET-04') a where a.user_id = pg_temp.who('nadia')), 2::bigint, 'an outage until J37: both rows, so that the record says why J30 did not go');
select pg_temp.at('2026-04-01 00:14:59Z');
select is((select count(*) from email_audience('E-RET-04') a where a.user_id = pg_temp.who('nadia')), 2::bigint, 'until J37 would have expired');
select pg_temp.at('2026-04-01 00:15Z');
select is((select count(*) from email_audience('E-RET-04') a where a.user_id = pg_temp.who('nadia')), 0::bigint, 'and then not any more');
rollback to s;
delete from email_outbox;
update email_types set active_since = '2026-03-20 00:15:00.000001Z' where code = 'E-RET-04';
select is((select count(*) from email_audience('E-RET-04') a where a.user_id = pg_temp.who('nadia')), 0::bigint, 'who was inactive for 30 days before active_since is left alone, also by J37');
update email_types set active_since = '2026-03-20 00:15Z' where code = 'E-RET-04';
select is((select count(*) from email_audience('E-RET-04') a where a.user_id = pg_temp.who('nadia')), 2::bigint, 'who gets there at active_since is not');
rollback to s;
select pg_temp.sent_and_gone(j30) from key;
select is((select count(*) from email_audience('E-RET-04') a where a.user_id = pg_temp.who('nadia')), 0::bigint, 'what the journal remembers is not written again');
rollback to s;
-- Tuned: another step, and other distances.
delete from email_outbox;
select pg_temp.at('2026-03-21 06:30Z');
update email_types set params = params || '{"steps": {"J30": "30 days", "J37": "40 days", "J60": "60 days"}}' where code = 'E-RET-04';
select is((select array_agg(a.run_at order by a.run_at) from email_audience('E-RET-04') a where a.user_id = pg_temp.who('nadia')),
    array['2026-03-20 00:15Z', '2026-03-30 00:15Z', '2026-04-19 00:15Z']::timestamptz[], 'a DBA tunes the steps by UPDATE');
rollback to s;
update email_types set params = params - 'steps' where code = 'E-RET-04';
delete from email_outbox;
select is(email_scan('E-RET-04'), 0, 'no steps, no letters');
rollback to s;

-- E-RET-03 does not write to the same people at the same time -----------------------------------------------------------------
select is((select count(*) from email_audience('E-RET-03') a where a.user_id = pg_temp.who('nadia')), 0::bigint, 'the 14 days'' letter is long past');
select is((select count(*) from email_outbox where user_id = pg_temp.who('long gone') and email_type like 'E-RET%'), 0::bigint, 'who left long ago hears nothing');
select is((select count(*) from email_outbox where user_id = pg_temp.who('closed account') and email_type like 'E-RET%'), 0::bigint, 'nor do closed accounts');

select * from finish();
rollback;
