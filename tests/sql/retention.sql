-- What is kept for how long: the personal part of the journal and of the signals, and what webhooks reported.  The outbox and
-- the trigger errors are in schedules.sql.
begin;
\ir support/scans.sql
select plan(21);
select pg_temp.at('2027-06-01 12:00Z');

-- Letters ------------------------------------------------------------------------------------------------------------------
insert into email_deliveries (user_id, email_type, dedupe_key, status, provider_message_id, payload_json, error_message, sent_at, created_at)
select gen_random_uuid(), 'E-TRX-01', v.key, v.status, 'p-' || v.key, v.payload, v.error, email_now() - v.age, email_now() - v.age
from (values
    ('old', 'sent', '{"to_email": "a@example.com", "subject": "Bonjour Awa", "context": {"first_name": "Awa"}}'::jsonb, null, interval '400 days 1 second'),
    ('old and failed', 'failed', '{"to_email": "b@example.com", "reason": "unknown outcome"}', 'no mailbox b@example.com', '500 days'),
    ('old, of another shape', 'sent', '["c@example.com"]', null, '450 days'),
    ('forgotten', 'sent', null, null, '450 days'),
    ('young', 'sent', '{"to_email": "d@example.com"}', 'again', '399 days 23 hours')) v (key, status, payload, error, age);
select is(email_erase_contexts(), 3, 'what is older than 400 days and holds something is erased');
select results_eq(
    $$ select dedupe_key::text, status::text, payload_json, error_message from email_deliveries order by 1 $$,
    $$ values ('forgotten', 'sent', null::jsonb, null::text), ('old', 'sent', '{}', null), ('old and failed', 'failed', '{"reason": "unknown outcome"}', null),
        ('old, of another shape', 'sent', '{}', null), ('young', 'sent', '{"to_email": "d@example.com"}', 'again') $$,
    'address, subject, context and error text are gone; reason and status stay'
);
select is((select count(*) from email_deliveries d where d.provider_message_id = 'p-' || d.dedupe_key and d.sent_at is not null), 5::bigint, 'times and the provider''s ids stay');
select is(email_enqueue('E-TRX-01', gen_random_uuid(), 'old'), null, 'an erased row keeps its key: the letter is never sent again');
select is((select context_erased_until from email_settings), email_now() - interval '400 days', 'email_settings says how far erasing has come');
select is(email_erase_contexts(), 0, 'nothing is erased twice');
select pg_temp.at('2027-06-01 13:00:01Z');
select is(email_erase_contexts(), 1, 'a letter is erased when its 400 days are over');
select pg_temp.at('2027-06-01 12:00Z');
select is(email_erase_contexts(), 0, 'a clock that is set back does no harm');
select is((select context_erased_until from email_settings), timestamptz '2027-06-01 13:00:01Z' - interval '400 days', 'a clock that is set back does not move the mark back');

-- A DBA wants it shorter, and more than one run is needed: the mark stops where the batch ended, also among equal times.
insert into email_deliveries (user_id, email_type, dedupe_key, payload_json, created_at)
select gen_random_uuid(), 'E-TRX-01', 'many ' || n, '{"to_email": "x@example.com"}', email_now() - interval '100 days' + n / 15000 * interval '1 day' from generate_series(1, 20001) n;
update email_settings set retention_context = '60 days';
select is(email_erase_contexts(), 20000, 'one run erases 20,000 letters at most');
select is((select context_erased_until from email_settings), email_now() - interval '99 days', 'the mark stops where the batch ended');
select is(email_erase_contexts(), 1, 'the next run erases the rest');
select is((select count(*) from email_deliveries where payload_json ? 'to_email'), 0::bigint, 'after two runs no address is left');
select throws_ok($$ update email_settings set retention_context = '29 days' $$, '23514', null, 'retention_context cannot be less than 30 days');

-- Whose slot it was is an address where there is no account.
update email_settings set context_erased_until = '-infinity';
insert into email_deliveries (user_id, email_type, dedupe_key, status, payload_json, slot, created_at)
select gen_random_uuid(), 'E-ACT-04', 's ' || n, 'sent', '{"to_email": "x@example.com"}', case n when 1 then 'x@example.com' else gen_random_uuid()::text end, email_now() - interval '90 days'
from generate_series(1, 2) n;
select email_erase_contexts() \g /dev/null
select results_eq($$ select slot = 'erased:' || id, slot like '%@%' from email_deliveries where dedupe_key like 's %' order by dedupe_key $$,
    $$ values (true, false), (false, false) $$, 'a slot that is an address is erased too, that of a user stays');
insert into email_marketing_slots (recipient, category, last_at, outbox_id) values
    ('long@example.com', 'product', email_now() - interval '91 days', 1), ('lately@example.com', 'product', email_now() - interval '89 days', 2),
    ('lately@example.com', 'marketing', email_now() - interval '91 days', 3);
select email_cleanup() \g /dev/null
select is((select array_agg(recipient || ' ' || category) from email_marketing_slots where recipient like '%@%'), '{lately@example.com product}', 'a slot that was not taken for 90 days goes, that of the other category stays');

-- Signals --------------------------------------------------------------------------------------------------------------------
-- A day in the past of email_settings' mark: a fact that arrives as late as that was never seen.
update email_settings set context_erased_until = '-infinity', retention_context = '400 days';
alter table email_signals disable trigger user;
insert into email_signals (kind, user_id, payload, occurred_at)
select v.kind, gen_random_uuid(), v.payload, email_now() - v.age
from (values
    ('invitation_created', '{"invitation_id": "i-1", "invitee_email": "e@example.com", "inviter_name": "Awa"}'::jsonb, interval '401 days'),
    ('login', '{"ip": "203.0.113.7", "country": "FR", "device": "Firefox", "city": "Lyon"}', '402 days'),
    ('nps_answered', '{"score": 9, "comment": "merci"}', '403 days'),
    ('payment_failed', '{"invoice_id": "in-1", "amount": 4900, "currency": "EUR", "update_url": "https://x"}', '404 days'),
    ('login', '{"ip": "203.0.113.8"}', '399 days')) v (kind, payload, age);
select is(email_erase_contexts(), 4, 'old facts lose what is personal');
select results_eq(
    $$ select kind, payload from email_signals order by occurred_at $$,
    $$ values ('payment_failed', '{"invoice_id": "in-1", "amount": 4900, "currency": "EUR"}'::jsonb), ('nps_answered', '{"score": 9}'), ('login', '{}'),
        ('invitation_created', '{"invitation_id": "i-1"}'), ('login', '{"ip": "203.0.113.8"}') $$,
    'old facts keep what joins them to others'
);

-- Events -----------------------------------------------------------------------------------------------------------------------
insert into email_events (email_delivery_id, event_type, occurred_at)
select gen_random_uuid(), 'delivered', email_now() - n * interval '100 days' from generate_series(8, 1, -1) n;
select is(email_cleanup_events(), 4, 'events older than 400 days go');
select is(email_cleanup_events(), 0, 'a second run removes no younger events');
select is((select min(occurred_at) from email_events), email_now() - interval '400 days', 'events are kept for 400 days to the second');

select * from finish();
rollback;
