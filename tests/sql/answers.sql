-- The questions that letters ask, and what people say.
begin;
\ir support/fixtures.sql
select plan(41);

select fixture.account('nassir') as nassir \gset
select fixture.account('nadia') as nadia \gset
select fixture.project(:'nadia', 'API Gateway') as project \gset
-- A letter that went out, as a claim leaves it, and the token of its link.
create function pg_temp.letter(code text, person uuid, key text, about jsonb default '{}', project uuid default null) returns uuid
language sql
as $$
insert into public.email_deliveries (user_id, project_id, email_type, dedupe_key, status, sent_at, payload_json)
values (person, project, code, key, 'sent', now(), jsonb_build_object('to_email', 'x@example.com', 'context', about))
returning id
$$;
create function pg_temp.answer(letter uuid, said text) returns text
language sql
as $$
select public.email_answer(letter, public.email_answer_key(d.dedupe_key), said) from public.email_deliveries d where d.id = letter
$$;
create function pg_temp.told() returns text[]
language sql
as $$
select coalesce(array_agg(s.kind || ' ' || s.payload order by s.id), '{}') from public.email_signals s
where s.kind in ('login_confirmed', 'login_disowned', 'still_active', 'integration_check_requested')
$$;

-- The key ------------------------------------------------------------------------------------------------------------------
select matches(public.email_answer_key('suspicious_login:7'), '^[0-9a-f]{32}$', 'a key is 32 hexadecimal digits');
select is(public.email_answer_key('suspicious_login:7'), public.email_answer_key('suspicious_login:7'), 'the key of a letter is the same each time');
select isnt(public.email_answer_key('suspicious_login:7'), public.email_answer_key('suspicious_login:8'), 'another letter has another key');
savepoint s;
select public.email_answer_key('suspicious_login:7') as before \gset
update public.email_secrets set answers = answers || '\x00';
select isnt(public.email_answer_key('suspicious_login:7'), :'before', 'another installation has other keys');
rollback to s;
select is(
    array(select r.rolname || ' ' || p.privilege from (values ('email_worker'), ('email_reader'), ('email_admin'), ('email_app')) r (rolname)
        cross join (values ('select'), ('insert'), ('update'), ('delete')) p (privilege) where has_table_privilege(r.rolname, 'public.email_secrets', p.privilege)),
    '{}', 'the secret is nobody''s'
);
select is(
    array(select r.rolname from (values ('email_worker'), ('email_reader'), ('email_admin'), ('email_app')) r (rolname)
        where has_function_privilege(r.rolname, 'public.email_answer_key(text)', 'execute')),
    '{}', 'the function that uses the secret is nobody''s'
);

-- Was that you? ----------------------------------------------------------------------------------------------------------------
select pg_temp.letter('E-SEC-02', :'nassir', 'suspicious_login:7', '{"signal_id": 7, "device": "Chrome sur Windows", "ip": "203.0.113.24", "occurred_at": "2026-03-03T02:14:00Z", "time_zone": "Europe/Paris"}') as seven \gset
select results_eq(
    format('select * from public.email_question(%L, public.email_answer_key(''suspicious_login:7''))', :'seven'),
    $$ values ('E-SEC-02', array[]::text[], '{"device": "Chrome sur Windows", "occurred_at": "2026-03-03T02:14:00Z", "time_zone": "Europe/Paris"}'::jsonb) $$,
    'the page is told the question, and what the letter said; no address'
);
select is(pg_temp.told(), '{}', 'asking records nothing');
select is_empty(format('select * from public.email_question(%L, %L)', :'seven', repeat('0', 32)), 'a wrong key asks nothing');
select is_empty(format('select * from public.email_question(%L, public.email_answer_key(''suspicious_login:8''))', :'seven'), 'the key of another letter asks nothing');
select is(public.email_answer(:'seven', repeat('0', 32), 'confirmed'), 'unknown', 'a wrong key answers nothing');
select is(public.email_answer(gen_random_uuid(), public.email_answer_key('suspicious_login:7'), 'confirmed'), 'unknown', 'a key without its letter answers nothing');
select is(public.email_answer(null, null, 'confirmed'), 'unknown', 'no letter and no key answer nothing');
select is(pg_temp.told(), '{}', 'answers without the right token record nothing');
select is(pg_temp.answer(:'seven', 'active'), 'no answer', 'another letter''s answer is none');
select is(pg_temp.answer(:'seven', ''), 'no answer', 'an empty answer is none');
select is(pg_temp.answer(:'seven', null), 'no answer', 'null is no answer');
select is(pg_temp.answer(:'seven', 'confirmed'), 'recorded', 'a login is confirmed');
select is(pg_temp.answer(:'seven', 'confirmed'), 'answered before', 'confirming twice records once');
select is(pg_temp.told(), array['login_confirmed {"signal_id": 7}'], 'the confirmation names the signal of the login');
select is(pg_temp.answer(:'seven', 'disowned'), 'recorded', 'pressed by mistake: it may still be disowned');
select is(pg_temp.answer(:'seven', 'confirmed'), 'answered before', 'a confirmation after a report changes nothing');
select pg_temp.letter('E-SEC-02', :'nassir', 'suspicious_login:8') as eight \gset
select is(pg_temp.answer(:'eight', 'disowned'), 'recorded', 'a login is disowned');
select is(pg_temp.answer(:'eight', 'confirmed'), 'disowned before', 'a disowned login is not confirmed afterwards');
select is(pg_temp.told(), array['login_confirmed {"signal_id": 7}', 'login_disowned {"signal_id": 7}', 'login_disowned {"signal_id": 8}'], 'the signal is named also when the context is gone');
select is((select s.user_id from public.email_signals s where s.kind = 'login_disowned' limit 1), :'nassir'::uuid, 'the answer is that of the person the letter went to');
select is((select answered from public.email_question(:'eight', public.email_answer_key('suspicious_login:8'))), array['login_disowned'], 'the page is told what was answered');
select is((select count(*) from public.email_outbox o where o.email_type = 'E-SEC-02'), 0::bigint, 'an answer alarms nobody');

-- I stay ----------------------------------------------------------------------------------------------------------------------
select is((select last_active_at from public.email_last_active(:'nassir', now() + interval '40 days')), (select created_at from public.users where id = :'nassir'), 'whoever only signed up was active then');
set local email.clock_offset = '31 days';
select pg_temp.letter('E-RET-04', :'nassir', format('inactive_30d:%s:2026-03-01:J30', :'nassir')) as j30 \gset
select is(pg_temp.answer(:'j30', 'active'), 'recorded', 'the button of E-RET-04 is recorded');
select is(pg_temp.answer(:'j30', 'active'), 'answered before', 'staying twice records once');
select is((select last_active_at from public.email_last_active(:'nassir', public.email_now())), public.email_now(), 'staying counts as the last activity');
select is((select count(*) from public.email_activity(:'nassir', now() + interval '1 day', 'infinity')), 1::bigint, 'staying counts as activity in every figure');

-- Have a look -----------------------------------------------------------------------------------------------------------------
select pg_temp.letter('E-RET-02', :'nadia', 'activity_drop:x:2026-W10', '{"project_name": "API Gateway"}', :'project') as drop \gset
select is(pg_temp.answer(:'drop', 'check'), 'recorded', 'a check is asked for');
select pg_temp.answer(:'drop', 'check');
select results_eq(
    $$ select kind, requested_at, user_id, name, email, project_id, project_name, letter from public.email_requests $$,
    format($$ values ('integration_check_requested', public.email_now(), %L::uuid, 'Nadia Martin', 'nadia@example.com', %L::uuid, 'API Gateway', %L::uuid) $$, :'nadia', :'project', :'drop'),
    'support sees who, when, about which project, once'
);
select ok(has_table_privilege('email_admin', 'public.email_requests', 'select'), 'email_admin sees the requests');
select ok(not has_table_privilege('email_reader', 'public.email_requests', 'select'), 'email_reader, who sees no address, does not see the requests');

-- The end ---------------------------------------------------------------------------------------------------------------------
select public.email_forget_user(:'nadia') \g /dev/null
select is(pg_temp.answer(:'drop', 'check'), 'unknown', 'forgetting a user ends the link');
select is_empty($$ select * from public.email_requests $$, 'forgetting a user ends the request');
delete from public.users where id = :'nassir';
select is(pg_temp.answer(:'eight', 'disowned'), 'unknown', 'deleting the account ends the link');

-- The sidecar's role can do this, and write no signal by itself.
select ok(has_function_privilege('email_worker', 'public.email_answer(uuid, text, text)', 'execute') and not has_table_privilege('email_worker', 'public.email_signals', 'insert'), 'the sidecar answers through the function only');

select * from finish();
rollback;
