-- E-SEC-02: a login that looks like somebody else's.
begin;
\ir support/fixtures.sql
select plan(68);

select fixture.account('nassir') as nassir \gset
select fixture.account('other') as other \gset
create function fixture.login(who uuid, country text, device text, at timestamptz) returns bigint
language sql
as $$
select fixture.signal('login', who, null, jsonb_build_object('ip', '203.0.113.24', 'country', country, 'device', device), at)
$$;
-- With what a browser really sends.
create function fixture.login_by(who uuid, agent text, at timestamptz, ip text default '203.0.113.24', city text default null) returns bigint
language sql
as $$
select fixture.signal('login', who, null, jsonb_strip_nulls(jsonb_build_object('ip', ip, 'device', agent, 'city', city)), at)
$$;
-- Whether this login causes the letter, and what it says is new.
create function fixture.caused(login bigint) returns jsonb
language sql
as $$
select jsonb_build_array(o.payload -> 'new_country', o.payload -> 'new_device') from public.email_outbox o where o.dedupe_key = 'suspicious_login:' || login
$$;
update public.email_types set active_since = now() - interval '400 days' where code = 'E-SEC-02';

select fixture.login(:'nassir', 'FR', 'Firefox sur Linux', now() - interval '200 days') as l \gset
select is(fixture.caused(:l), null, 'the first login ever is nobody''s surprise');
select fixture.login(:'nassir', 'FR', 'Firefox sur Linux', now() - interval '199 days') as l \gset
select is(fixture.caused(:l), null, 'nor is one like the one before');
select fixture.login(:'nassir', 'fr', ' firefox sur linux', now() - interval '198 days') as l \gset
select is(fixture.caused(:l), null, 'spelt in other letters it is the same');
select fixture.login(:'nassir', null, null, now() - interval '197 days') as l \gset
select is(fixture.caused(:l), null, 'an unknown country and device are not new');
select fixture.login(:'nassir', 'VN', 'Firefox sur Linux', now() - interval '196 days') as vn \gset
select is(fixture.caused(:vn), '[true, false]', 'a new country is');
select fixture.login(:'nassir', 'VN', 'Chrome sur Windows', now() - interval '195 days') as l \gset
select is(fixture.caused(:l), '[false, true]', 'so is a new device; the country is known by now');
select fixture.login(:'nassir', 'JP', null, now() - interval '194 days') as l \gset
select is(fixture.caused(:l), '[true, null]', 'one of both may be unknown');
select fixture.login(:'nassir', 'VN', null, now() - interval '106 days') as l \gset
select is(fixture.caused(:l), null, 'used 89 days ago: known');
select fixture.login(:'nassir', 'JP', null, now() - interval '104 days' + interval '1 minute') as l \gset
select is(fixture.caused(:l), '[true, null]', 'not used for more than 90 days: new again');
select fixture.login(:'other', 'VN', 'Chrome sur Windows', now() - interval '100 days') as l \gset
select is(fixture.caused(:l), null, 'what one user did says nothing about another: a first login');
select fixture.account('unlocated') as unlocated \gset
select fixture.login(:'unlocated', null, 'curl', now() - interval '3 days');
select fixture.login(:'unlocated', 'FR', 'curl', now() - interval '2 days') as l \gset
select is(fixture.caused(:l), null, 'the first country ever named has nothing to be compared with');
select fixture.login(:'unlocated', 'BE', 'curl', now() - interval '1 day') as l \gset
select is(fixture.caused(:l), '[true, false]', 'the second has');
select fixture.login(:'unlocated', 'CH', 'curl', now() - interval '2 days 1 hour') as l \gset
select is(fixture.caused(:l), null, 'only earlier logins count, by their own time');

select fixture.account('verbose') as verbose \gset
select string_agg(md5(n::text), '') as long from generate_series(1, 300) n \gset
select fixture.login(:'verbose', 'FR', :'long', now() - interval '3 days');
select fixture.login(:'verbose', 'FR', 'curl', now() - interval '2 days');
select fixture.login(:'verbose', 'FR', :'long', now() - interval '1 day') as l \gset
select is(fixture.caused(:l), null, 'a device whose name fits into no index entry is known again');
select fixture.login(:'verbose', :'long', 'curl', now() - interval '1 hour') as l \gset
select is(fixture.caused(:l), '[true, false]', 'and such a country is new like any other');

-- A device is its browser and system, without versions.
create temp table agents (device text, agent text);
insert into agents values
('Chrome sur Windows', 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36'),
('Edge sur Windows', 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.3595.53'),
('Internet Explorer sur Windows', 'Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko'),
('Firefox sur Linux', 'Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0'),
('Safari sur macOS', 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4.1 Safari/605.1.15'),
('Opera sur macOS', 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36 OPR/110.0.0.0'),
('Safari sur iPhone', 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1'),
('Chrome sur iPhone', 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1'),
('Firefox sur iPad', 'Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/127.0 Mobile/15E148 Safari/605.1.15'),
('Chrome sur Android', 'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.6422.165 Mobile Safari/537.36'),
('Chrome sur Android', 'Mozilla/5.0 (Linux; Android 10; CUBOT X30) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.6422.165 Mobile Safari/537.36'),
('Samsung Internet sur Android', 'Mozilla/5.0 (Linux; Android 13; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36'),
('Firefox sur Android', 'Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0'),
('Chrome sur ChromeOS', 'Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36'),
('Linux', 'Mozilla/5.0 (X11; Linux x86_64)'),
('curl', 'curl/7.88.1'), ('python-requests', 'python-requests/2.31.0'), ('SeqPulse CLI', 'SeqPulse CLI 2.4.1'),
('Googlebot', 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'),
('bingbot', 'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36'),
('Firefox sur Linux', ' firefox sur linux'), ('Firefox sur Windows', 'Firefox 128 on Windows 11'), ('Safari', 'Safari'), ('MacBook Pro de Nassir', 'MacBook Pro de Nassir'),
(null, ' '), (null, '144.0.1');
select is(public.email_device(agent), device, coalesce(device, 'no device') || ': ' || left(agent, 60)) from agents;
select is_empty('select agent from agents where public.email_device(device) is distinct from device', 'a device that is reduced already stays');
select is(length(public.email_device(:'long')), 64, 'what names neither browser nor system is cut');
select fixture.account('upgrader') as upgrader \gset
select fixture.login_by(:'upgrader', (select agent from agents where device = 'Chrome sur Windows'), now() - interval '60 days');
select fixture.login_by(:'upgrader', 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36', now() - interval '50 days', '198.51.100.9') as l \gset
select is(fixture.caused(:l), null, 'a new version of the browser from another address is no alarm');
select fixture.login_by(:'upgrader', (select agent from agents where device = 'Edge sur Windows'), now() - interval '49 days') as l \gset
select is(fixture.caused(:l), '[null, true]', 'another browser is; the country was never told');
select is(fixture.context_of('suspicious_login:' || :l) ->> 'device', 'Edge sur Windows', 'and the letter has it reduced');
select fixture.login_by(:'upgrader', 'curl/8', now() - interval '48 days') as l \gset
select fixture.login_by(:'upgrader', (select agent from agents where device = 'Edge sur Windows'), now() - interval '47 days') as l \gset
select is(fixture.caused(:l), null, 'one used before the last one is known');
select fixture.login_by(:'upgrader', 'curl/8.1', now() - interval '46 days', '192.0.2.200') as l \gset
select is(fixture.caused(:l), null, 'an address alone is no alarm');

-- A city is compared like a country.
create function fixture.city_of(login bigint) returns jsonb language sql
as $$ select coalesce((select o.payload -> 'new_city' from public.email_outbox o where o.dedupe_key = 'suspicious_login:' || login), '"none"') $$;
select fixture.account('traveller') as traveller \gset
select fixture.login_by(:'traveller', 'curl/8', now() - interval '20 days');
select fixture.login_by(:'traveller', 'curl/8', now() - interval '19 days', city => 'Lyon') as l \gset
select is(fixture.city_of(:l), '"none"', 'the first city ever named has nothing to be compared with');
select fixture.login_by(:'traveller', 'curl/8', now() - interval '18 days', city => 'Hanoï') as l \gset
select is(fixture.city_of(:l), 'true', 'another city is new');
select fixture.login_by(:'traveller', 'curl/8', now() - interval '17 days', city => 'lyon ') as l \gset
select is(fixture.city_of(:l), '"none"', 'one of before is not');
select fixture.login_by(:'traveller', 'curl/8', now() - interval '16 days') as l \gset
select is(fixture.city_of(:l), '"none"', 'nor is an untold one');
select fixture.login_by(:'traveller', 'curl/8', now() - interval '15 days', city => 'HANOÏ') as l \gset
select is(fixture.city_of(:l), '"none"', 'spelt in capitals it is the same');

select count(*) as logins from public.email_signals where kind = 'login' \gset
set local role email_app;
insert into public.email_signals (kind, user_id, payload) values ('login', gen_random_uuid(), '{"device": "curl/8"}');
reset role;
select is((select count(*) from public.email_signals where kind = 'login'), :logins + 1::bigint, 'the application''s role may insert logins');

update public.email_types set params = '{"known_for": "1 hour"}' where code = 'E-SEC-02';
select fixture.login(:'unlocated', 'FR', 'curl', now()) as l \gset
select is(fixture.caused(:l), '[true, true]', 'how long something stays known is a parameter');
update public.email_types set params = '{"known_for": "90 days"}' where code = 'E-SEC-02';

-- The application says so itself.
select fixture.signal('suspicious_login', :'other', null, '{"ip": "198.51.100.7", "country": "BR", "device": "Safari", "city": "Recife"}') as told \gset
select results_eq(
    format($$ select user_id, project_id, to_email, run_at, payload -> 'occurred_at' = to_jsonb(now()) from fixture.row_of('suspicious_login:%s') $$, :told),
    format($$ values (%L::uuid, null::uuid, null::text, now(), true) $$, :'other'),
    'a suspicious login causes one letter to the user, now'
);
select is(
    fixture.context_of('suspicious_login:' || :told) - '{first_name,time_zone,cta_path,signal_id}'::text[],
    jsonb_build_object('ip', '198.51.100.7', 'country', 'BR', 'device', 'Safari', 'city', 'Recife', 'occurred_at', now(), 'new_country', true, 'new_device', true),
    'with the signal''s keys, the time and what is new'
);
select fixture.account('fresh') as fresh \gset
select fixture.signal('suspicious_login', :'fresh', null, '{"ip": "198.51.100.7"}') as told2 \gset
select is(fixture.gate_of('suspicious_login:' || :told2), 'send', 'also when it is the user''s first');
insert into public.email_preferences (user_id, marketing_opt_in, product_updates_opt_in) values (:'fresh', false, false);
update public.users set is_active = false where id = :'fresh';
select is(fixture.gate_of('suspicious_login:' || :told2), 'send', 'whatever the user refuses and whether or not they are active');
select is((fixture.row_of('suspicious_login:' || :vn)).due_at, now() - interval '196 days', 'it expires from the time of the login');
select is(fixture.gate_of('suspicious_login:' || :vn), 'suppress: expired', 'so one that was told late does not alarm anybody');

select public.email_signal('suspicious_login', :'other', null, '{}', null, 'twice') as once \gset
select public.email_signal('suspicious_login', :'other', null, '{}', null, 'twice');
select is((select count(*) from public.email_signals where kind = 'suspicious_login'), 3::bigint, 'the same signal twice is one');
select fixture.signal('suspicious_login', null, null, '{}');
select is((select error from fixture.errors_of('E-SEC-02')), '22004: field "user_id" is missing', 'a suspicious login of nobody is noted, naming the field');
select fixture.signal('login', null, null, '{"country": "FR"}');
select is((select count(*) from fixture.errors_of('E-SEC-02')), 1::bigint, 'a login of nobody is none of our business');
select fixture.signal('suspicious_login', :'other', null, '{}', now() - interval '401 days') as old \gset
select is(fixture.row_of('suspicious_login:' || :old) is null, true, 'a signal from before active_since causes nothing');

select is_empty(
    $$ select fixture.broken_by('E-SEC-02', 'insert into public.email_signals (kind, user_id) select ''suspicious_login'', u.id from public.users u') $$,
    'whatever breaks on our side, the signal is recorded and the miss is noted'
);
select fixture.replayed_keys('E-SEC-02', 'insert into public.email_signals (kind, user_id) select ''suspicious_login'', u.id from public.users u where u.email like ''other%''') as replayed \gset
select is(:'replayed'::text[], array(select 'suspicious_login:' || max(s.id) from public.email_signals s), 'what was missed is made up for');
insert into public.email_signals (kind, user_id, payload) select 'suspicious_login', :'other', '{}' from generate_series(1, 20);
select is((select count(*) from fixture.rows_of('E-SEC-02') where user_id = :'other' and run_at = now()), 23::bigint, 'each of many signals in one statement has its letter');

select * from finish();
rollback;
