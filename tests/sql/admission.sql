-- What a row of the outbox must be, whatever writes it; what a plain INSERT is told; what the triggers of the codes see to themselves.
begin;
\ir support/fixtures.sql
select plan(43);

-- The CHECKs: their names are what the writer of a refused row reads ------------------------------------------------------------
insert into public.email_outbox (email_type, user_id, dedupe_key) values ('E-TRX-01', gen_random_uuid(), 'sound');
create temp table refused (assignment text, constraint_name text);
insert into refused values
('dedupe_key = ''''', 'email_outbox_dedupe_key_has_1_to_255_characters'),
('dedupe_key = repeat(''é'', 256)', 'email_outbox_dedupe_key_has_1_to_255_characters'),
('payload = ''[]''', 'email_outbox_payload_is_a_json_object'),
('payload = ''"x"''', 'email_outbox_payload_is_a_json_object'),
('attempts = -1', 'email_outbox_attempts_and_claims_are_not_negative'),
('claims = -1', 'email_outbox_attempts_and_claims_are_not_negative'),
('status = ''done'', finished_at = now()', 'email_outbox_status_is_known'),
('locked_by = ''w''', 'email_outbox_sending_rows_alone_have_a_lease'),
('locked_until = now()', 'email_outbox_sending_rows_alone_have_a_lease'),
('status = ''sending'', batch_id = gen_random_uuid(), batch_position = 0', 'email_outbox_sending_rows_alone_have_a_lease'),
('status = ''sending'', locked_by = ''w'', batch_id = gen_random_uuid(), batch_position = 0', 'email_outbox_sending_rows_alone_have_a_lease'),
('status = ''sending'', locked_by = ''w'', locked_until = now(), batch_id = gen_random_uuid()', 'email_outbox_sending_rows_have_a_batch'),
('finished_at = now()', 'email_outbox_ended_rows_alone_have_finished_at'),
('status = ''sent''', 'email_outbox_ended_rows_alone_have_finished_at'),
('status = ''suppressed'', finished_at = now()', 'email_outbox_suppressed_rows_have_a_reason'),
('status = ''failed'', finished_at = now()', 'email_outbox_failed_rows_have_an_error_or_a_reason'),
('status = ''sent'', finished_at = now(), retry_at = now()', 'email_outbox_queued_rows_alone_have_retry_at');
select throws_like(format('update public.email_outbox set %s where dedupe_key = ''sound''', r.assignment), format('%%"%s"%%', r.constraint_name), r.assignment)
from refused r;
select lives_ok($$update public.email_outbox set dedupe_key = repeat('é', 255), payload = '{"a": 1}' where dedupe_key = 'sound'$$, '255 characters are enough, however many bytes');
select is_empty($$
    select c.conname from pg_constraint c
    where c.conrelid = 'public.email_outbox'::regclass and c.contype = 'c'
    and (obj_description(c.oid, 'pg_constraint') is null or c.conname not in (select r.constraint_name from refused r))
    $$, 'every CHECK says what to do, and was broken above');

-- Plain INSERTs: everybody's but those of the codes' own triggers -----------------------------------------------------------------
delete from public.email_outbox;
create function pg_temp.insert_plain(code text, key text, rank integer default null, due_at timestamptz default null) returns text
language plpgsql
as $$
begin
    if rank is null then
        insert into public.email_outbox (email_type, user_id, dedupe_key) values (code, gen_random_uuid(), key);
    else
        insert into public.email_outbox (email_type, user_id, dedupe_key, rank, due_at) values (code, gen_random_uuid(), key, rank, due_at);
    end if;
    return case when found then 'queued' else 'skipped' end;
exception when foreign_key_violation then
    return sqlerrm;
end
$$;
insert into public.email_deliveries (user_id, email_type, dedupe_key, status, provider_message_id) values
(gen_random_uuid(), 'E-TRX-01', 'sent', 'sent', 'm-1'),
(gen_random_uuid(), 'E-TRX-01', 'refused', 'failed', null),
(gen_random_uuid(), 'E-TRX-01', 'bounced', 'failed', 'm-2');
update public.email_types set enabled = false where code = 'E-ACT-02';
select is(pg_temp.insert_plain('E-TRX-01', 'new'), 'queued', 'a new key is queued');
select is((select (rank, due_at = run_at, status)::text from public.email_outbox), '(90,t,queued)', 'at its type''s rank, due when it may run');
select is(pg_temp.insert_plain('E-TRX-01', 'new'), 'skipped', 'a key that waits is skipped');
select is(pg_temp.insert_plain('E-TRX-01', 'sent'), 'skipped', 'so is one the journal knows');
select is(pg_temp.insert_plain('E-TRX-01', 'bounced'), 'skipped', 'also of a letter that failed after the provider took it');
select is(pg_temp.insert_plain('E-TRX-01', 'refused'), 'queued', 'but not of one that no provider took');
select is(pg_temp.insert_plain('E-ACT-02', 'disabled'), 'skipped', 'a disabled type queues nothing');
select is(pg_temp.insert_plain('E-NOP-99', 'unknown'), 'unknown email type "E-NOP-99"', 'an unknown code is an error');
-- A rank that somebody writes opens no door.
select is(pg_temp.insert_plain('E-NOP-99', 'unknown', 1000, now()), 'unknown email type "E-NOP-99"', 'also with a rank');
select is(pg_temp.insert_plain('E-ACT-02', 'disabled', 1000, now()), 'skipped', 'a disabled type queues nothing with a rank either');
select is(pg_temp.insert_plain('E-TRX-01', 'sent', 1000, now()), 'skipped', 'nor does a known key');
select is(pg_temp.insert_plain('E-TRX-01', 'first', 1000, now()), 'queued', 'a new key does');
select is((select rank from public.email_outbox where dedupe_key = 'first'), 90, 'at its type''s rank, not at what was written');
-- An application may queue from a trigger of its own.
create table fixture.orders (code text, key text);
create function fixture.ordered() returns trigger
language plpgsql
as $$
begin
    insert into public.email_outbox (email_type, user_id, dedupe_key) values (new.code, gen_random_uuid(), new.key);
    return null;
end
$$;
create trigger ordered after insert on fixture.orders for each row execute function fixture.ordered();
insert into fixture.orders values ('E-TRX-01', 'ordered'), ('E-TRX-01', 'sent'), ('E-ACT-02', 'disabled');
select is((select count(*) from public.email_outbox where dedupe_key in ('ordered', 'sent', 'disabled')), 1::bigint, 'its rows are admitted like any others');
select throws_ok($$ insert into fixture.orders values ('E-NOP-99', 'unknown') $$, '23503', 'unknown email type "E-NOP-99"', 'and an unknown code is an error there too');
update public.email_types set enabled = true where code = 'E-ACT-02';

-- The codes' own triggers ------------------------------------------------------------------------------------------------------------
-- Every cause of every code, with ids that are known before: once with an empty journal, once with all its keys in it.
create procedure fixture.cause(number integer)
language plpgsql
as $$
declare
    someone constant uuid := format('00000000-0000-0000-0000-0000000%s', 10000 + number);
    project constant uuid := format('00000000-0000-0000-0001-0000000%s', 10000 + number);
    deployment constant uuid := format('00000000-0000-0000-0002-0000000%s', 10000 + number);
begin
    insert into public.users (id, name, email, hashed_password, is_active) values (someone, 'A', number || '@admission.example', 'x', false);
    update public.users set is_active = true where id = someone;
    insert into public.projects (id, name, owner_id, api_key, hmac_secret) values (project, 'P', someone, number::text, number::text);
    insert into public.deployments (id, project_id, deployment_number, env, state) values (deployment, project, 1, 'prod', 'running');
    insert into public.deployment_verdicts (deployment_id, verdict, confidence) values (deployment, 'warning', 0.9);
    insert into public.email_signals (kind, user_id, project_id, payload)
    select v.kind, someone, project, v.payload || jsonb_build_object('invitation_id', number, 'invoice_id', number)
    from (values
        ('invitation_created', '{"invitee_email": "x@acme.example"}'::jsonb), ('payment_failed', '{}'), ('quota_refused', '{}'),
        ('pro_feature_attempted', '{"feature": "multi_env"}'), ('nps_answered', '{"score": 10}')
    ) v (kind, payload);
    -- For a project of its own: a payment ends the reminders of the other.
    insert into public.email_signals (kind, user_id, payload) values ('payment_succeeded', someone, jsonb_build_object('invoice_id', number || ' paid'));
end
$$;
delete from public.email_outbox;
delete from public.email_deliveries;
call fixture.cause(1);
select is((select array_agg(distinct email_type order by email_type) from public.email_outbox),
    '{E-ACT-01,E-ACT-02,E-ACT-03,E-ACT-04,E-ACT-05,E-ADV-02,E-BILL-01,E-BILL-02,E-CONV-03,E-CONV-04,E-TRX-01,E-TRX-02}', 'every cause queues');
select is_empty($$ select o.dedupe_key from public.email_outbox o join public.email_types t on t.code = o.email_type where o.rank <> t.priority or o.due_at <> o.run_at $$,
    'at its type''s rank, due when it may run');
select is_empty('select error from public.email_trigger_errors', 'without an error');

create temp table keys as select replace(o.dedupe_key, '10001', '10002') as dedupe_key, o.email_type from public.email_outbox o;
update keys set dedupe_key = regexp_replace(dedupe_key, '^(invitation|payment_failed|payment_succeeded):1', '\1:2');
insert into public.email_deliveries (user_id, email_type, dedupe_key, status) select gen_random_uuid(), k.email_type, k.dedupe_key, 'sent' from keys k;
delete from public.email_outbox;
call fixture.cause(2);
select is((select array_agg(email_type order by email_type) from public.email_outbox), '{E-ACT-01,E-ACT-02}',
    'what the journal knows is not queued; it is not asked about the id of a row that the statement has made itself');
select is_empty('select error from public.email_trigger_errors', 'which is no error');
update public.email_outbox set run_at = public.email_now();
select fixture.send_due() as sent \gset
select results_eq(format('select %s, bool_and(status = ''suppressed'' and reason like ''duplicate%%'') from public.email_outbox', :sent), $$ values (0, true) $$,
    'the claim then finds out, and sends nothing');

update public.email_deliveries set status = 'failed';
delete from public.email_outbox;
delete from public.deployment_verdicts; delete from public.deployments; delete from public.projects; delete from public.users; delete from public.email_signals;
call fixture.cause(2);
select is((select array_agg(dedupe_key order by dedupe_key) from public.email_outbox), (select array_agg(dedupe_key order by dedupe_key) from keys),
    'a key whose letter no provider took is queued again');

-- The same facts once more, as a replay does: known keys, and those of the journal.
delete from public.email_outbox;
update public.email_deliveries set status = 'sent';
select public.email_trx_01_enqueue(f.facts), public.email_act_01_enqueue(f.facts), public.email_act_02_enqueue(p.facts)
from (select jsonb_agg(jsonb_build_object('user_id', u.id, 'created_at', u.created_at)) as facts from public.users u) f,
    (select jsonb_agg(jsonb_build_object('project_id', p.id, 'user_id', p.owner_id, 'created_at', p.created_at)) as facts from public.projects p) p \g /dev/null
select is((select count(*) from public.email_outbox), 0::bigint, 'a replay asks the journal');

update public.email_types set enabled = false;
delete from public.email_deliveries;
call fixture.cause(3);
select is((select count(*) from public.email_outbox), 0::bigint, 'disabled types queue nothing');

select * from finish();
rollback;
