-- The outbox: what is admitted, what the gates say, what disabling does; with the welcome as the example.
create extension if not exists pgtap;
begin;
select plan(24);

-- Cause -----------------------------------------------------------------------------------------------------------------
insert into public.users (id, name, email, hashed_password) values
('11111111-0000-0000-0000-000000000001', 'Nassir Benali', 'nassir@seqpulse.test', 'secret'),
('11111111-0000-0000-0000-000000000002', 'Nadia', 'nadia@seqpulse.test', 'secret');
insert into public.users (id, name, email, hashed_password, is_active) values
('11111111-0000-0000-0000-000000000003', 'Pas encore', 'attente@seqpulse.test', 'secret', false),
('11111111-0000-0000-0000-000000000004', 'Inconnu', 'inconnu@seqpulse.test', 'secret', null);

select results_eq(
    'select user_id::text, dedupe_key, to_email, project_id, payload, status from public.email_outbox where email_type = ''E-TRX-01'' order by user_id',
    $$values ('11111111-0000-0000-0000-000000000001', 'welcome_signup:11111111-0000-0000-0000-000000000001', null::text, null::uuid, '{}'::jsonb, 'queued'),
             ('11111111-0000-0000-0000-000000000002', 'welcome_signup:11111111-0000-0000-0000-000000000002', null, null, '{}', 'queued')$$,
    'one statement with two active sign-ups enqueues one welcome each, and none for the inactive');
select is((select count(*) from public.email_outbox where email_type = 'E-TRX-01' and run_at = public.email_now() and due_at = run_at), 2::bigint,
    'due at once');
select is((select distinct rank from public.email_outbox where email_type = 'E-TRX-01'), 90, 'at the type''s priority');

update public.users set name = 'Nassir B.' where id = '11111111-0000-0000-0000-000000000001';
select is((select count(*) from public.email_outbox where email_type = 'E-TRX-01'), 2::bigint, 'another change of the user causes nothing');

update public.users set is_active = true;
select is((select count(*) from public.email_outbox where email_type = 'E-TRX-01'), 4::bigint, 'becoming active causes the welcome, from false and from null');
select is((select count(*) from public.email_outbox where dedupe_key = 'welcome_signup:11111111-0000-0000-0000-000000000003'), 1::bigint,
    'under the user''s own key');

update public.users set is_active = false;
update public.users set is_active = true;
select is((select count(*) from public.email_outbox where email_type = 'E-TRX-01'), 4::bigint, 'becoming active again causes nothing new');

delete from public.users where id = '11111111-0000-0000-0000-000000000004';
select is((select count(*) from public.email_outbox where email_type = 'E-TRX-01'), 4::bigint, 'deleting a user is not our business');

insert into public.users (name, email, hashed_password, created_at) values ('Ancien', 'ancien@seqpulse.test', 'secret', now() - interval '2 years');
select is((select count(*) from public.email_outbox where email_type = 'E-TRX-01'), 4::bigint, 'an account older than active_since causes nothing');

-- What a plain insert may and may not do --------------------------------------------------------------------------------------
select lives_ok($$insert into public.email_outbox (email_type, user_id, dedupe_key)
    values ('E-TRX-01', '11111111-0000-0000-0000-000000000001', 'welcome_signup:11111111-0000-0000-0000-000000000001')$$,
    'a plain insert of a known key is skipped without an error');
select is((select count(*) from public.email_outbox where email_type = 'E-TRX-01'), 4::bigint, 'and without a row');
select is(public.email_enqueue('E-TRX-01', '11111111-0000-0000-0000-000000000001', 'welcome_signup:11111111-0000-0000-0000-000000000001'), null,
    'email_enqueue answers null for a known key');
select throws_ok($$insert into public.email_outbox (email_type, user_id, dedupe_key) values ('E-NOP-99', gen_random_uuid(), 'x')$$,
    '23503', 'unknown email type "E-NOP-99"', 'an unknown code is refused like by a foreign key');
select throws_ok($$insert into public.email_outbox (email_type, user_id, dedupe_key) values ('E-TRX-01', gen_random_uuid(), repeat('x', 256))$$,
    '23514', null, 'a key of 256 characters is refused');

-- Still true ----------------------------------------------------------------------------------------------------------------
create temp table ids as select o.id, o.user_id from public.email_outbox o where o.email_type = 'E-TRX-01';
select results_eq($$select count(*) from public.email_trx_01_current((select array_agg(id) from ids)) where untrue is null$$, 'values (3::bigint)',
    'true for every active user; the deleted one has no row');
update public.users set is_active = false where id = '11111111-0000-0000-0000-000000000002';
select results_eq($$select untrue from public.email_trx_01_current((select array_agg(id) from ids where user_id = '11111111-0000-0000-0000-000000000002'))$$,
    $$values ('user not active'::text)$$, 'no longer true once the user is not active');

-- The gates see it ---------------------------------------------------------------------------------------------------------------
select results_eq(
    $$select i.user_id::text, g.verdict, g.reason from ids i join public.email_gates((select array_agg(id) from ids)) g on g.id = i.id order by i.user_id$$,
    $$values ('11111111-0000-0000-0000-000000000001', 'send', null::text),
             ('11111111-0000-0000-0000-000000000002', 'suppress', 'user not active'),
             ('11111111-0000-0000-0000-000000000003', 'send', null),
             ('11111111-0000-0000-0000-000000000004', 'suppress', 'no such user')$$,
    'each row gets its one reason');
select is((select g.context ->> 'first_name' from public.email_gates((select array_agg(id) from ids)) g join ids i on i.id = g.id
    where i.user_id = '11111111-0000-0000-0000-000000000001'), 'Nassir', 'the letter greets by first name');
select is((select g.recipient from public.email_gates((select array_agg(id) from ids)) g join ids i on i.id = g.id
    where i.user_id = '11111111-0000-0000-0000-000000000001'), 'nassir@seqpulse.test', 'at the address of this moment');

select set_config('email.clock_offset', '6 days 23 hours', true);
select is((select count(*) from public.email_gates((select array_agg(id) from ids)) where verdict = 'send'), 2::bigint, 'still sent after almost 7 days');
select set_config('email.clock_offset', '7 days', true);
select is((select count(*) from public.email_gates((select array_agg(id) from ids)) where reason = 'expired'), 4::bigint, 'expired after 7 days, which comes before the other reasons');
select set_config('email.clock_offset', '', true);

-- A disabled type -------------------------------------------------------------------------------------------------------------------
update public.email_types set enabled = false where code = 'E-TRX-01';
insert into public.users (name, email, hashed_password) values ('Trop tard', 'tard@seqpulse.test', 'secret');
select is((select count(*) from public.email_outbox where email_type = 'E-TRX-01'), 4::bigint, 'a disabled type enqueues nothing');
select is((select count(*) from public.email_outbox where status = 'suppressed' and reason = 'type disabled'), 4::bigint, 'and what it had queued is suppressed');
select is((select count(*) from public.email_deliveries where status = 'suppressed'), 4::bigint, 'which the journal remembers');

select * from finish();
rollback;
