-- email_audience and email_scan: what holds for every code that is caused by a scan; and the segments.
begin;
\ir support/scans.sql
set client_min_messages = error; -- a blast warns
select plan(50);

select pg_temp.at('2026-03-20 06:20Z');
create temp table lapsed as
select n, pg_temp.person('lapsed' || n || '@example.com', '2026-03-05Z') as person from generate_series(1, 5) n;

-- Every code ------------------------------------------------------------------------------------------------------------
select results_eq(
    $$ select t.code from email_types t where to_regprocedure('public.' || email_function(t.code, 'audience') || '()') is not null order by 1 $$,
    $$ values ('E-ADV-01'), ('E-CONV-01'), ('E-CONV-02'), ('E-CONV-05'), ('E-RET-01'), ('E-RET-02'), ('E-RET-03'), ('E-RET-04') $$,
    'eight codes are caused by a scan'
);
select results_eq(
    $$ select s.code from email_schedules s where s.code is not null order by 1 $$,
    $$ select t.code from email_types t where to_regprocedure('public.' || email_function(t.code, 'audience') || '()') is not null order by 1 $$,
    'each has a schedule, and nothing else has'
);
select is_empty($$ select a.* from email_types t cross join lateral email_audience(t.code) a where t.code !~ 'CONV-0[125]|RET|ADV-01' $$, 'the audience of a code that a fact causes is empty');
select is(email_scan('E-TRX-01'), 0, 'and its scan does nothing');
select throws_ok($$ select email_scan('E-RET-99') $$, 'P0001', 'unknown email type "E-RET-99"', 'an unknown code is an error');
select throws_ok($$ select * from email_audience('E-RET-99') $$, 'P0001', 'unknown email type "E-RET-99"', 'of the audience too');

-- Installing on a database with years of history ---------------------------------------------------------------------------
savepoint s;
update email_types set active_since = email_now();
select pg_temp.deploy(pg_temp.project(pg_temp.person('old' || n || '@example.com', '2022-01-01Z', (array['Europe/Paris', 'Asia/Kolkata', 'Pacific/Apia'])[1 + n % 3]), 'P', '2022-01-02Z'),
    60 + n, timestamptz '2022-01-02Z' + n * interval '1 day', timestamptz '2026-03-20Z' - n * interval '40 days') from generate_series(1, 30) n;
select pg_temp.deploy(pg_temp.project(pg_temp.person('new@example.com', '2026-01-01Z'), 'P', '2026-01-02Z'), 200, '2026-01-02Z', '2026-03-20Z');
-- The survey asks about today whoever passed its milestone before: tests/sql/E-ADV-01.sql.
select is((select sum(email_scan(t.code)) from email_types t where t.code <> 'E-ADV-01'), 0::bigint, 'nothing is written about the past, whatever it holds');
select pg_temp.at('2026-03-21 06:20Z');
select is((select sum(email_scan(t.code)) from email_types t where t.code <> 'E-ADV-01'), 0::bigint, 'nor a day later');
select pg_temp.at('2026-03-23 07:00Z');
select is((select array_agg(t.code || ' ' || n) from email_types t cross join lateral email_scan(t.code) n where n > 0 and t.code <> 'E-ADV-01'), array['E-RET-01 1'], 'the first Monday reports the week, to who was active in it');
rollback to s;

-- The blast limit ------------------------------------------------------------------------------------------------------------
update email_types set params = params || '{"blast_limit": 4}' where code = 'E-RET-03';
select is(email_scan('E-RET-03'), 0, 'five letters where four are the limit: none is enqueued');
select is(pg_temp.letters('E-RET-03'), 0::bigint, 'really none');
select results_eq(
    $$ select paused_at, paused_reason, blast_found from email_types where code = 'E-RET-03' $$,
    $$ values (email_now(), 'blast limit: a scan found 5 letters to enqueue at once, the limit is 4; email_audience(''E-RET-03'') shows them, email_resume(''E-RET-03'') lets them through', 5) $$,
    'the type is paused and says why'
);
select is(email_scan('E-RET-03'), 0, 'paused: nothing more');
select is((select count(*) from email_audience('E-RET-03')), 5::bigint, 'the audience shows them');
select email_resume('E-RET-03');
select results_eq($$ select paused_at, paused_reason from email_types where code = 'E-RET-03' $$, $$ values (null::timestamptz, null::text) $$, 'resumed');
select is(email_scan('E-RET-03'), 5, 'the next run lets them through');
select is((select blast_found from email_types where code = 'E-RET-03'), null, 'once');
insert into lapsed select n, pg_temp.person('lapsed' || n || '@example.com', '2026-03-05Z') from generate_series(6, 10) n;
select is(email_scan('E-RET-03'), 0, 'the limit holds again for the run after it');
select isnt((select paused_at from email_types where code = 'E-RET-03'), null, 'which pauses again');
update email_types set paused_at = null where code = 'E-RET-03';
select is(email_scan('E-RET-03'), 5, 'resuming by UPDATE is the same');
rollback to s;
update email_types set params = params || '{"blast_limit": 5}' where code = 'E-RET-03';
select is(email_scan('E-RET-03'), 5, 'exactly the limit is allowed');
rollback to s;
update email_settings set blast_limit = 4;
select is(email_scan('E-RET-03'), 0, 'without its own limit that of email_settings holds');
rollback to s;
update email_settings set blast_limit = 4;
update email_types set params = params || '{"blast_limit": null}' where code = 'E-RET-03';
select is(email_scan('E-RET-03'), 5, 'null is no limit');
rollback to s;
update email_settings set blast_limit = 4;
select email_scan('E-RET-03');
select email_resume('E-RET-03');
select email_pause('E-RET-03', 'not now');
select is((select paused_reason from email_types where code = 'E-RET-03'), 'not now', 'paused by hand before it ran:');
select is(email_scan('E-RET-03'), 0, 'it waits');
select email_resume('E-RET-03');
select is(email_scan('E-RET-03'), 5, 'and then goes through');
rollback to s;
select email_pause('E-RET-03');
update email_settings set blast_limit = 4;
select email_resume('E-RET-03');
select is(email_scan('E-RET-03'), 0, 'a pause by hand is no permission: the limit holds after it');
rollback to s;
-- What is known does not count.
insert into email_outbox (email_type, user_id, dedupe_key) select 'E-RET-03', person, format('inactive_14d:%s:2026-03-05', person) from lapsed where n = 1;
insert into email_deliveries (user_id, email_type, dedupe_key, status) select person, 'E-RET-03', format('inactive_14d:%s:2026-03-05', person), 'suppressed' from lapsed where n = 2;
insert into email_deliveries (user_id, email_type, dedupe_key, status) select person, 'E-RET-03', format('inactive_14d:%s:2026-03-05', person), 'failed' from lapsed where n = 3;
insert into email_deliveries (user_id, email_type, dedupe_key, status, provider_message_id) select person, 'E-RET-03', format('inactive_14d:%s:2026-03-05', person), 'failed', 'm1' from lapsed where n = 4;
select results_eq($$ select l.n from email_audience('E-RET-03') a join lapsed l on l.person = a.user_id order by 1 $$, $$ values (3), (5) $$,
    'known: in the outbox, or in the journal; a failed letter the provider never took may be tried again');
update email_settings set blast_limit = 2;
select is(email_scan('E-RET-03'), 2, 'and only what is new counts against the limit');
rollback to s;

-- The claim takes what a scan enqueued -----------------------------------------------------------------------------------------
select email_scan('E-RET-03');
select email_arm(); -- a test's database may be a copy
select is(
    (select array_agg(distinct c.email_type || ' ' || c.recipient order by c.email_type || ' ' || c.recipient) from email_claim('test', 'console', 100, '60 seconds') c where c.email_type = 'E-RET-03'),
    (select array_agg('E-RET-03 lapsed' || n || '@example.com' order by n) from lapsed), 'a sidecar claims them all'
);
rollback to s;
insert into email_preferences (user_id, marketing_opt_in) select person, false from lapsed where n = 1;
update users set is_active = false where id = (select person from lapsed where n = 2);
select is((select count(*) from email_audience('E-RET-03')), 4::bigint, 'closed accounts are left out');
select email_scan('E-RET-03');
select is((select g.reason from lapsed l, pg_temp.gate(format('inactive_14d:%s:2026-03-05', l.person)) g where l.n = 1), 'opted out of marketing', 'who opted out is told so by the claim, on record');
rollback to s;

-- Everything a sidecar needs, it may do ------------------------------------------------------------------------------------------
select results_eq(
    $$ select r.rolname::text, t.code from pg_roles r cross join email_types t
       where r.rolname in ('email_worker', 'email_admin') and t.code ~ 'CONV-0[125]|RET|ADV-01'
       and not (has_function_privilege(r.rolname, 'public.' || email_function(t.code, 'audience') || '()', 'execute')
            and has_function_privilege(r.rolname, 'public.' || email_function(t.code, 'current') || '(bigint[])', 'execute')) $$,
    $$ select null::text, null::text where false $$, 'email_worker and email_admin may execute every function of the eight'
);
select is(pg_temp.as_role('email_worker', format('select count(*) from public.email_audience(%L)', c)) ~ '^[0-9]$', true, 'email_worker may ask for ' || c)
from unnest(array['E-CONV-01', 'E-CONV-02', 'E-CONV-05', 'E-RET-01', 'E-RET-02', 'E-RET-03', 'E-RET-04', 'E-ADV-01']) c;
update email_settings set blast_limit = 4;
select is(pg_temp.as_role('email_worker', $$ select public.email_scan('E-RET-03') $$), '0', 'a sidecar may stop a blast');
select isnt((select paused_at from email_types where code = 'E-RET-03'), null, 'and does');
select email_resume('E-RET-03');
select is(pg_temp.as_role('email_worker', $$ select public.email_scan('E-RET-03') $$), '5', 'a sidecar may enqueue what a scan finds');
select is(pg_temp.as_role('email_worker', 'select hashed_password from public.users limit 1'), '42501', 'it may not read passwords');
rollback to s;

-- Segments -------------------------------------------------------------------------------------------------------------------
create temp table cast_ as
select pg_temp.person('new@example.com', '2026-03-10Z') as fresh, pg_temp.person('free@example.com', '2025-01-01Z') as free, pg_temp.person('pro@example.com', '2025-01-01Z') as pro,
    pg_temp.person('asleep@example.com', '2025-01-01Z') as asleep, pg_temp.person('closed@example.com', '2026-03-10Z', null, false) as closed;
create temp table things as
select pg_temp.project(free, 'Near limit', '2025-01-02Z') as near, pg_temp.project(free, 'Dropping', '2025-01-02Z') as dropping, pg_temp.project(pro, 'Pro', '2025-01-02Z', 'pro') as paid,
    pg_temp.project(pro, 'Pro asleep', '2025-01-02Z', 'enterprise') as paid_asleep from cast_;
select pg_temp.deploy(near, 55, '2026-03-01Z', '2026-03-20Z'), pg_temp.deploy(dropping, 8, '2026-03-02Z', '2026-03-09Z'), pg_temp.deploy(paid, 1, '2026-03-19Z', '2026-03-20Z') from things;
update users set twofa_enabled = true where email = 'asleep@example.com';
delete from users where email like 'lapsed%';
delete from email_deliveries;
insert into email_deliveries (user_id, email_type, dedupe_key, status, created_at) select pro, 'E-SEC-02', 'k', 'sent', email_now() - interval '89 days' from cast_;
insert into email_deliveries (user_id, email_type, dedupe_key, status, created_at) select free, 'E-SEC-02', 'l', 'sent', email_now() - interval '91 days' from cast_;
select results_eq(
    $$ select u.email::text, p.name::text, s.segment from email_segments s join users u on u.id = s.user_id left join projects p on p.id = s.project_id order by 1, 2, 3 $$,
    $$ values ('asleep@example.com', null, 'at_risk'), ('asleep@example.com', null, 'security_sensitive'),
        ('free@example.com', 'Dropping', 'at_risk'), ('free@example.com', 'Near limit', 'free_near_limit'), ('free@example.com', null, 'free_active'),
        ('new@example.com', null, 'free_active'), ('new@example.com', null, 'new_user'),
        ('pro@example.com', 'Pro', 'pro_active'), ('pro@example.com', null, 'security_sensitive') $$,
    'the six segments'
);
update email_types set params = params || '{"inactive": "700 days"}' where code = 'E-RET-03';
select is((select count(*) from email_segments where segment = 'at_risk' and project_id is null), 0::bigint, 'a DBA tunes what inactive means by UPDATE');
update email_types set params = params || '{"inactive": "14 days"}' where code = 'E-RET-03';
select is(pg_temp.as_role('email_reader', 'select count(*) from public.email_segments'), '9', 'email_reader may read them');
select is(pg_temp.as_role('email_reader', 'select count(*) from public.users'), '42501', 'without seeing the tables behind them');
select lives_ok('alter table users drop column twofa_enabled_at; alter table projects alter column plan type text', 'the application''s own ALTER TABLE works as if the view were not there');

select * from finish();
rollback;
