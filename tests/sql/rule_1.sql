-- Rule 1: a trigger of ours never breaks the application.  What needs a second session or a session's own settings; what is
-- broken in other ways stands with each code.  Not in one transaction: the other session must find nothing locked.
\ir support/fixtures.sql
create extension if not exists dblink;
select dblink_connect('other', format('dbname=%L user=%L host=%L port=%L', current_database(), current_user,
    coalesce(host(inet_server_addr()), split_part(current_setting('unix_socket_directories'), ',', 1)), current_setting('port'))) \g /dev/null
select plan(22);

-- throws_ok catches "others", which a cancellation is not.
create function fixture.was_canceled(statement text) returns boolean
language plpgsql
as $$
begin
    execute statement;
    return false;
exception when query_canceled then
    return true;
end
$$;

-- Locks: at most 100 ms for one, and a lock that was not to be had is not waited for again for each row: that would take
-- 40 seconds here, which the bound below (of a statement of half a second) does not allow.
set statement_timeout = '20s';
select dblink_exec('other', 'begin') \g /dev/null
select dblink_exec('other', 'lock table public.email_outbox in access exclusive mode') \g /dev/null
select lives_ok(
    $$ insert into public.users (name, email, hashed_password) select 'Locked', n || '@locked.example', 'x' from generate_series(1, 200) n $$,
    'a locked outbox does not keep anybody from signing up'
);
select results_eq(
    $$ select email_type, count(*), bool_and(error like '55P03:%') from public.email_trigger_errors where replayed_at is null group by email_type order by email_type $$,
    $$ values ('E-ACT-01', 200::bigint, true), ('E-TRX-01', 200::bigint, true) $$,
    'every miss is noted'
);
reset statement_timeout;
-- The session's own time-out is shorter than ours: it ends the statement, as it would without us.
set statement_timeout = '30ms';
select ok(fixture.was_canceled($$ insert into public.users (name, email, hashed_password) values ('Late', 'late@locked.example', 'x') $$), 'a statement_timeout is let through');
reset statement_timeout;
select is((select count(*) from public.users where email = 'late@locked.example'), 0::bigint, 'and means what it says');
select dblink_exec('other', 'lock table public.email_trigger_errors in access exclusive mode') \g /dev/null
select lives_ok(
    $$ insert into public.users (name, email, hashed_password) values ('Twice', 'twice@locked.example', 'x') $$,
    'nor does it when the notes are locked too'
);
select dblink_exec('other', 'rollback') \g /dev/null
select is((select count(*) from public.email_trigger_errors where replayed_at is null), 400::bigint, 'which then is only a warning');
select is(public.email_replay_errors(), 400, 'what was missed is made up for once the lock is gone');
select is((select count(*) from public.email_outbox), 400::bigint, 'each once');

-- A row somebody else holds is not waited for when a sequence ends.
select fixture.account('nassir') as nassir \gset
select fixture.signal('invitation_created', :'nassir', null, '{"invitation_id": "inv_1", "invitee_email": "x@acme.example"}') \g /dev/null
select dblink_exec('other', 'begin') \g /dev/null
select count(*) from dblink('other', $$ select id from public.email_outbox where dedupe_key = 'invitation:inv_1:J0' for update $$) as held (id bigint) \g /dev/null
select fixture.signal('invitation_accepted', null, null, '{"invitation_id": "inv_1"}') \g /dev/null
select dblink_exec('other', 'rollback') \g /dev/null
select results_eq(
    $$ select payload ->> 'step', status from fixture.rows_of('E-TRX-02') $$,
    $$ values ('J0', 'queued'), ('J2', 'suppressed'), ('J5', 'suppressed') $$,
    'a row that is being claimed is left to the claim'
);
select is(fixture.gate_of('invitation:inv_1:J0'), 'suppress: invitation accepted', 'which decides the same');

-- Two writers of one fact.
select dblink_exec('other', 'begin') \g /dev/null
select count(*) from dblink('other', $$ select public.email_signal('payment_failed', null, null, '{"invoice_id": "in_1"}') $$) as told (id bigint) \g /dev/null
select dblink_exec('other', 'rollback') \g /dev/null
select dblink_exec('other', 'begin') \g /dev/null
select count(*) from dblink('other', format($$ select public.email_signal('payment_failed', %L, null, '{"invoice_id": "in_1"}') $$, :'nassir')) as told (id bigint) \g /dev/null
select lives_ok(format($$ select public.email_signal('payment_failed', %L, null, '{"invoice_id": "in_1"}') $$, :'nassir'), 'the same fact told in two open transactions: neither fails');
select dblink_exec('other', 'commit') \g /dev/null
select public.email_replay_errors() \g /dev/null
select is((select array_agg(dedupe_key order by due_at) from fixture.rows_of('E-BILL-01')),
    '{payment_failed:in_1:J0,payment_failed:in_1:J3,payment_failed:in_1:J7,payment_failed:in_1:J10}', 'and there is one letter of each step');
select is_empty($$ select from public.email_trigger_errors where replayed_at is null and email_type = 'E-BILL-01' $$, 'nothing is left over');

-- One subtransaction per statement; row by row only after a failure.
insert into public.users (name, email, hashed_password) select 'Many', n || '@many.example', 'x' from generate_series(1, 100) n;
select results_eq(
    $$ select o.email_type, count(distinct o.xmin::text), count(*) from public.email_outbox o join public.users u on u.id = o.user_id where u.name = 'Many' group by o.email_type order by o.email_type $$,
    $$ values ('E-ACT-01', 1::bigint, 100::bigint), ('E-TRX-01', 1::bigint, 100::bigint) $$,
    'a statement of many rows is one subtransaction per letter'
);
alter table public.email_outbox add constraint poison check (payload ->> 'poison' is null and to_email is distinct from 'poison' and dedupe_key !~ '[02468]$') not valid;
select lives_ok($$ insert into public.users (name, email, hashed_password) select 'Poisoned', n || '@poison.example', 'x' from generate_series(1, 100) n $$, 'rows that cannot be enqueued do not keep the others from it');
alter table public.email_outbox drop constraint poison;
select results_eq(
    $$ select bool_and((o.id is null) = (u.id::text ~ '[02468]$')), bool_and((e.id is not null) = (u.id::text ~ '[02468]$'))
       from public.users u
       left join public.email_outbox o on o.dedupe_key = 'welcome_signup:' || u.id
       left join public.email_trigger_errors e on e.email_type = 'E-TRX-01' and e.row_data ->> 'user_id' = u.id::text and e.replayed_at is null
       where u.name = 'Poisoned' $$,
    $$ values (true, true) $$,
    'and each of them is noted'
);
select public.email_replay_errors() \g /dev/null
select is((select count(*) from public.email_outbox o join public.users u on o.dedupe_key = 'welcome_signup:' || u.id where u.name = 'Poisoned'), 100::bigint, 'then all are made up for');

-- Whatever a session has set for itself.
set search_path = '';
set datestyle = 'German, DMY';
set timezone = 'Asia/Kathmandu';
set intervalstyle = 'sql_standard';
set standard_conforming_strings = off;
set escape_string_warning = off;
set transform_null_equals = on;
set default_transaction_isolation = 'serializable';
insert into public.users (name, email, hashed_password) values ('Peculiar', 'peculiar@example.com', 'x');
update public.users set twofa_enabled = true where email = 'peculiar@example.com';
insert into public.projects (name, owner_id, api_key, hmac_secret, plan) select 'P', id, 'k', 's', 'free' from public.users where email = 'peculiar@example.com';
update public.projects set plan = 'pro';
insert into public.deployments (deployment_number, project_id, env, state) select 1, id, 'prod', 'running' from public.projects;
insert into public.deployment_verdicts (deployment_id, verdict, confidence) select id, 'warning', 0.5 from public.deployments;
insert into public.email_signals (kind, user_id, project_id, payload) select k.kind, p.owner_id, p.id, '{"invitation_id": "i", "invitee_email": "i@example.com", "feature": "f", "invoice_id": "n", "score": 9}'
from public.projects p, (values ('invitation_created'), ('suspicious_login'), ('login'), ('quota_refused'), ('pro_feature_attempted'), ('payment_failed'), ('payment_succeeded'), ('nps_answered')) k (kind);
reset all;
set client_min_messages = error;
select set_eq(
    $$ select distinct o.email_type from public.email_outbox o join public.users u on u.id = o.user_id where u.name = 'Peculiar' $$,
    '{E-TRX-01,E-TRX-02,E-SEC-01,E-SEC-02,E-ACT-01,E-ACT-02,E-ACT-03,E-ACT-04,E-ACT-05,E-CONV-03,E-CONV-04,E-BILL-01,E-BILL-02,E-ADV-02}'::text[],
    'a session with peculiar settings causes every letter'
);
select is_empty($$ select from public.email_trigger_errors where replayed_at is null and occurred_at >= now() - interval '1 second' and row_data ->> 'user_id' = (select id::text from public.users where name = 'Peculiar') $$, 'and misses none');
set email.clock_offset = 'next week';
select lives_ok($$ insert into public.users (name, email, hashed_password) values ('Garbage', 'garbage@example.com', 'x') $$, 'a clock offset that means nothing costs a letter, not an account');
reset email.clock_offset;

-- A role that may write its own tables and nothing else.
create role fixture_app;
grant usage on schema public to fixture_app;
grant select, insert, update on public.users to fixture_app;
set role fixture_app;
insert into public.users (name, email, hashed_password) values ('Poor', 'poor@example.com', 'x');
update public.users set twofa_enabled = true where email = 'poor@example.com';
reset role;
select set_eq(
    $$ select o.email_type from public.email_outbox o join public.users u on u.id = o.user_id where u.name = 'Poor' $$,
    '{E-TRX-01,E-ACT-01,E-SEC-01}'::text[], 'the application needs no right of ours'
);
drop owned by fixture_app;
drop role fixture_app;

select has_function_privilege('email_app', 'public.email_signal(text, uuid, uuid, jsonb, timestamptz, text)', 'execute') as may \gset
set role email_app;
insert into public.email_signals (kind, user_id, payload) values ('suspicious_login', :'nassir', '{}');
reset role;
select is((select count(*) from fixture.rows_of('E-SEC-02') where user_id = :'nassir'), 1::bigint, 'nor does the role that tells signals');

select dblink_disconnect('other') \g /dev/null
select * from finish();
