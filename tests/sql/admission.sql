-- What a row of the outbox must be, whatever writes it.
create extension if not exists pgtap;
begin;
select plan(19);

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

select * from finish();
rollback;
