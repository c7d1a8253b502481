-- email_dry_run: what a kind of email would have done over a past time, without doing it.
begin;
\ir support/fixtures.sql
select plan(23);
update public.email_types set active_since = '-infinity';

-- A while of the application, before the mailer was there: inserted around its triggers.
set session_replication_role = replica;
insert into public.users (id, name, email, hashed_password, is_active, created_at)
select md5('u' || n)::uuid, 'Nadia ' || n, 'nadia' || n || '@example.com', 'x', n <> 3, now() - n * interval '1 day' from generate_series(1, 20) n;
-- Every second of them made a project: an hour later, or every fourth not before the third hour.
insert into public.projects (id, owner_id, name, api_key, hmac_secret, plan, created_at)
select md5('p' || n)::uuid, md5('u' || n)::uuid, 'Projet', n, n, case when n <= 4 then 'pro' else 'free' end,
    now() - n * interval '1 day' + case when n % 4 = 0 then interval '3 hours' else interval '1 hour' end
from generate_series(2, 20, 2) n;
insert into public.email_preferences (user_id, product_updates_opt_in) values (md5('u5')::uuid, false);
insert into public.email_signals (kind, user_id, project_id, payload, occurred_at) values
('payment_failed', md5('u2')::uuid, md5('p2')::uuid, '{"invoice_id": "in_1"}', now() - interval '20 days'),
('payment_succeeded', md5('u2')::uuid, md5('p2')::uuid, '{"invoice_id": "in_1", "amount": 1200, "currency": "EUR"}', now() - interval '15 days'),
('payment_failed', md5('u4')::uuid, md5('p4')::uuid, '{"invoice_id": "in_2"}', now() - interval '2 days'),
('pro_feature_attempted', md5('u6')::uuid, null, '{"feature": "sdh"}', now() - interval '5 days'),
('pro_feature_attempted', md5('u6')::uuid, null, '{"feature": "multi_env"}', now() - interval '5 days' + interval '1 hour'),
('pro_feature_attempted', md5('u6')::uuid, null, '{}', now() - interval '4 days');
set session_replication_role = origin;

create function pg_temp.state() returns text
language plpgsql
as $$
declare
    relation record;
    sum text := '';
    one text;
begin
    for relation in select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by 1 loop
        execute format('select coalesce(md5(string_agg(t::text, '','' order by t::text)), '''') from public.%I t', relation.relname) into one;
        sum := sum || one;
    end loop;
    return md5(sum) || current_setting('email.clock_offset', true) || current_setting('email.dry_run', true);
end
$$;
select set_config('email.dry_run', '', true), set_config('email.clock_offset', '', true) \g /dev/null
select pg_temp.state() as before \gset
create function pg_temp.run(code text, past interval) returns text[]
language sql
-- Without ids and days.
as $$ select array_agg(regexp_replace(concat_ws(' ', d.outcome, d.letters, d.reason), '[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d(-\d\d)?', '…', 'g')) from public.email_dry_run(code, past) d $$;

select is(pg_temp.run('E-ACT-01', '10 days 12 hours'), array['enqueued 10', 'sent 5', 'suppressed 3 owns a project', 'suppressed 1 opted out of product updates', 'suppressed 1 user not active'],
    'ten sign-ups: who had a project after two hours is not written to; who made one later would have been');
select is(pg_temp.run('E-ACT-01', '1 day 1 hour'), array['enqueued 1', 'sent 1'], 'over another time');
select is(pg_temp.run('E-TRX-01', '10 days 12 hours'), array['enqueued 9', 'sent 9'], 'the welcome of those who are active');
select is(pg_temp.run('E-ACT-02', '21 days'), array['enqueued 10', 'sent 10'], 'projects without a deployment');
select is(pg_temp.run('E-BILL-01', '30 days'), array['enqueued 8', 'sent 3', 'suppressed 2 paid since', 'waiting 3 not due yet'],
    'a sequence: two steps before it was paid, two not; of the other one step, and three to come');
select is(pg_temp.run('E-CONV-04', '30 days'), array['enqueued 2', 'sent 1', 'suppressed 1 such a letter went out on …, and params.quiet is 7 days'], 'what is tried an hour after a letter went out is suppressed; a fact that lacks its feature causes nothing');
select is(pg_temp.run('E-RET-03', '3 days'), array['enqueued 3', 'sent 3'], 'a scan, as it would have come round');
select is(pg_temp.run('E-ADV-01', '30 days'), array['enqueued 0', 'sent 0'], 'nothing is an answer too');
select is(pg_temp.state(), :'before', 'nothing was changed in any table, and the clock is back');

-- What really went counts, of the same category.
insert into public.email_deliveries (user_id, email_type, dedupe_key, status, payload_json, sent_at, created_at, outbox_id, slot, slot_category)
values (md5('u6')::uuid, 'E-RET-01', 'apart', 'sent', '{}', now() - interval '5 days 1 hour', now() - interval '5 days 1 hour', 1, md5('u6')::uuid::text, 'product');
select is(pg_temp.run('E-CONV-04', '30 days'), array['enqueued 2', 'sent 1', 'suppressed 1 such a letter went out on …, and params.quiet is 7 days'], 'a product letter defers no marketing letter');
insert into public.email_deliveries (user_id, email_type, dedupe_key, status, payload_json, sent_at, created_at, outbox_id, slot, slot_category)
values (md5('u6')::uuid, 'E-ADV-02', 'really', 'sent', '{}', now() - interval '5 days 1 hour', now() - interval '5 days 1 hour', 2, md5('u6')::uuid::text, 'marketing');
select is(pg_temp.run('E-CONV-04', '30 days'), array['enqueued 2', 'sent 1', 'deferred 1 cap', 'suppressed 1 named in the letter pro_feature:…:sdh:…'], 'another letter that took the slot defers the first, which then names the second');
update public.email_settings set marketing_cooldown = '0';
select is(pg_temp.run('E-CONV-04', '30 days'), array['enqueued 2', 'sent 1', 'suppressed 1 such a letter went out on …, and params.quiet is 7 days'], 'without a cooldown nobody waits');
update public.email_settings set marketing_cooldown = '24 hours';
update public.email_types set expires_after = '20 hours' where code = 'E-CONV-04';
select is(pg_temp.run('E-CONV-04', '30 days'), array['enqueued 2', 'sent 0', 'deferred 1 cap', 'suppressed 1 expired', 'suppressed 1 named in the letter pro_feature:…:sdh:…'], 'who waits may expire');
insert into public.email_deliveries (user_id, email_type, dedupe_key, status, created_at, sent_at, payload_json)
values (md5('u1')::uuid, 'E-ACT-01', 'no_project_after_signup:' || md5('u1')::uuid, 'sent', now() - interval '20 hours', now() - interval '20 hours', '{}'),
    (md5('u2')::uuid, 'E-TRX-01', 'welcome_signup:' || md5('u2')::uuid, 'sent', now() - interval '400 days', now() - interval '400 days', '{}');
select is(pg_temp.run('E-ACT-01', '1 day 1 hour'), array['enqueued 1', 'sent 1'], 'what really went since is played again');
select is(pg_temp.run('E-TRX-01', '2 days 12 hours'), array['enqueued 1', 'sent 1'], 'what went before is known, as it was then');

-- As if it had been enabled.
update public.email_types set enabled = false where code = 'E-ACT-01';
select public.email_pause('E-TRX-01');
update public.email_types set holdout_percent = 100 where code = 'E-ACT-02';
select is(pg_temp.run('E-ACT-01', '1 day 1 hour'), array['enqueued 1', 'sent 1'], 'also of a disabled code');
select is(pg_temp.run('E-TRX-01', '1 day 1 hour'), array['enqueued 1', 'sent 1'], 'and of a paused one');
select is(pg_temp.run('E-ACT-02', '21 days'), array['enqueued 10', 'sent 0', 'suppressed 10 holdout'], 'with its holdout');
select is((select array_agg(t.code order by t.code) from public.email_types t where not t.enabled or t.paused_at is not null), '{E-ACT-01,E-TRX-01}', 'they stay as they are');
select is((select count(*) from public.email_outbox), 0::bigint, 'nothing is queued');
select is_empty($$ select t.code from public.email_types t where not exists (select from public.email_dry_run(t.code, '1 day') d where d.outcome = 'sent') $$,
    'all 22 codes can be played through');
select throws_ok($$ select public.email_dry_run('E-NOP-99', '1 day') $$, 'unknown email type "E-NOP-99"', 'an unknown code is an error');
select throws_ok($$ select public.email_dry_run('E-ACT-01', '-1 day') $$, 'the interval must be positive, such as ''30 days''', 'so is a time to come');

select * from finish();
rollback;
