-- E-SEC-01: two-factor authentication was switched on or off.
begin;
\ir support/fixtures.sql
select plan(20);

select fixture.account('nassir') as nassir \gset
select fixture.account('other') as other \gset
select is(fixture.keys_of('E-SEC-01'), '{}', 'signing up changes nothing');
update public.users set twofa_enabled = true where id = :'nassir';
select results_eq(
    $$ select user_id, project_id, to_email, payload -> 'enabled', run_at = (payload ->> 'changed_at')::timestamptz, run_at between now() and clock_timestamp() from fixture.rows_of('E-SEC-01') $$,
    format($$ values (%L::uuid, null::uuid, null::text, 'true'::jsonb, true, true) $$, :'nassir'),
    'switching it on causes one letter to the user, now'
);
select is(
    fixture.keys_of('E-SEC-01'),
    array(select 'twofa_changed:' || :'nassir' || ':on:' || floor(1000 * extract(epoch from (payload ->> 'changed_at')::timestamptz))::bigint from fixture.rows_of('E-SEC-01')),
    'its key carries the state and the instant in milliseconds'
);
update public.users set twofa_enabled = true where id = :'nassir';
update public.users set name = 'Nassir M.', twofa_last_verified_at = now() where id = :'nassir';
select is(cardinality(fixture.keys_of('E-SEC-01')), 1, 'an update that does not change it causes nothing');

select pg_sleep(0.002);
update public.users set twofa_enabled = false;
select results_eq(
    $$ select user_id, payload -> 'enabled' from fixture.rows_of('E-SEC-01') offset 1 $$,
    format($$ values (%L::uuid, 'false'::jsonb) $$, :'nassir'),
    'in a bulk update only those whose state changed get one'
);
select pg_sleep(0.002);
update public.users set twofa_enabled = true where id = :'nassir';
select is(cardinality(fixture.keys_of('E-SEC-01')), 3, 'on, off and on again within one transaction are three letters: the clock ticks');

select fixture.move_clock('100 days');
select pg_sleep(0.002);
update public.users set twofa_enabled = true where id = :'other';
select is(
    (select run_at - now() >= interval '100 days' and run_at - clock_timestamp() <= interval '100 days' from fixture.rows_of('E-SEC-01') where user_id = :'other'),
    true, 'the moment follows the clock of the rules'
);
select dedupe_key as key from fixture.rows_of('E-SEC-01') where user_id = :'other' \gset
select is(
    fixture.context_of(:'key') - '{changed_at}'::text[], '{"enabled": true, "first_name": "Other", "time_zone": "Europe/Paris"}',
    'without a login known there are no figures'
);
select fixture.signal('login', :'other', null, '{"ip": "203.0.113.1", "country": "FR"}', public.email_now() - interval '23 hours');
select fixture.signal('login', :'other', null, '{"ip": "203.0.113.24", "country": "FR", "city": "Lyon", "device": "Firefox sur Linux"}', public.email_now() - interval '2 minutes');
select fixture.signal('login', :'other', null, '{"ip": "203.0.113.99", "country": "FR"}', public.email_now() + interval '5 minutes');
select fixture.signal('login', :'nassir', null, '{"ip": "203.0.113.66", "country": "FR"}', public.email_now());
select is(
    fixture.context_of(:'key') - '{enabled,changed_at,first_name,time_zone,cta_path}'::text[],
    jsonb_build_object('login_at', public.email_now() - interval '2 minutes', 'login_ip', '203.0.113.24', 'login_country', 'FR', 'login_city', 'Lyon', 'login_device', 'Firefox sur Linux'),
    'the figures are the user''s latest login before the change'
);
delete from public.email_signals where payload ->> 'ip' in ('203.0.113.1', '203.0.113.24');
select fixture.signal('login', :'other', null, '{"ip": "203.0.113.2"}', public.email_now() - interval '24 hours 1 second');
select is(fixture.context_of(:'key') ? 'login_ip', false, 'a login more than 24 hours before says nothing about it');

-- Whether the device was known, when that can be told.
create function pg_temp.known(key text) returns text language sql
as $$ select format('%s, known: %s', fixture.context_of(key) -> 'login_device', coalesce(fixture.context_of(key) ->> 'login_device_known', 'untold')) $$;
savepoint known;
select fixture.signal('login', :'other', null, '{"device": "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"}', public.email_now() - interval '1 minute');
select is(pg_temp.known(:'key'), '"Firefox sur Linux", known: untold', 'no earlier login told a device: nothing is said; the device is its browser and system');
select fixture.signal('login', :'other', null, '{"device": "curl/7.88.1"}', public.email_now() - interval '300 days');
select is(pg_temp.known(:'key'), '"Firefox sur Linux", known: false', 'earlier logins had other devices: it is new');
select fixture.signal('login', :'other', null, '{"device": "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:98.0) Gecko/20100101 Firefox/98.0"}', public.email_now() - interval '200 days');
select is(pg_temp.known(:'key'), '"Firefox sur Linux", known: true', 'an older version of the browser: it is known');
rollback to known;
select is(fixture.gate_of(:'key'), 'send', 'the letter may go out');
insert into public.email_preferences (user_id, marketing_opt_in, product_updates_opt_in) values (:'other', false, false);
insert into public.email_suppressions (email, reason) values ('other@example.com', 'manual');
update public.users set is_active = false where id = :'other';
select is(fixture.gate_of(:'key'), 'send', 'whatever the user refuses and whether or not they are active');

update public.email_types set active_since = public.email_now() + interval '1 day' where code = 'E-SEC-01';
update public.users set twofa_enabled = false where id = :'other';
select is(cardinality(fixture.keys_of('E-SEC-01')), 4, 'a change before active_since causes nothing');
update public.email_types set active_since = now() - interval '1 day' where code = 'E-SEC-01';
select fixture.move_clock('0');

select is_empty(
    $$ select fixture.broken_by('E-SEC-01', 'update public.users set twofa_enabled = not twofa_enabled where email = ''nassir@example.com''') $$,
    'whatever breaks on our side, the update works and the miss is noted'
);
select jsonb_agg(n -> 'row_data') as notes
from fixture.notes_without('E-SEC-01', 'alter table public.users drop column twofa_enabled', 'update public.users set name = ''C'' where email = ''nassir@example.com''') n
where n ->> 'error' like '42703: %twofa_enabled%' \gset
select is(:'notes'::jsonb, jsonb_build_array(jsonb_build_object('user_id', :'nassir')), 'a column that disappeared is noted');
select fixture.replayed_keys('E-SEC-01', 'update public.users set twofa_enabled = not twofa_enabled where email = ''nassir@example.com''') as replayed \gset
select matches((:'replayed'::text[])[1], '^twofa_changed:' || :'nassir' || ':off:\d{13}$', 'what was missed is made up for');
select is(cardinality(:'replayed'::text[]), 1, 'a replay enqueues a missed letter once');

select * from finish();
rollback;
