-- What the application tells about people: time zones, and who else hears about a project.
begin;
\ir support/fixtures.sql
select plan(30);

select fixture.account('nassir') as nassir \gset
select fixture.account('other') as other \gset
create function pg_temp.zone(who uuid) returns text language sql as $$ select timezone from public.email_preferences where user_id = who $$;
create function pg_temp.noted() returns text language sql
as $$ select string_agg(error, '; ' order by id) from public.email_trigger_errors where source = 'email_told_people' and replayed_at is null $$;

-- user_time_zone -------------------------------------------------------------------------------------------------------------
select fixture.signal('user_time_zone', :'nassir', null, '{"timezone": "America/Montreal"}');
select is(pg_temp.zone(:'nassir'), 'America/Montreal', 'a zone that is told makes the user''s preferences');
select results_eq(
    format($$ select marketing_opt_in, product_updates_opt_in, tracking_consent from public.email_preferences where user_id = %L $$, :'nassir'),
    $$ values (true, true, false) $$, 'with the defaults for all else');
update public.email_preferences set marketing_opt_in = false, updated_at = now() - interval '1 day' where user_id = :'nassir';
select fixture.signal('user_time_zone', :'nassir', null, '{"timezone": "America/Montreal"}');
select is((select updated_at from public.email_preferences where user_id = :'nassir'), now() - interval '1 day', 'told again it changes nothing');
select fixture.signal('user_time_zone', :'nassir', null, '{"timezone": " Asia/Kolkata "}');
select results_eq(
    format($$ select timezone, marketing_opt_in from public.email_preferences where user_id = %L $$, :'nassir'),
    $$ values ('Asia/Kolkata', false) $$, 'another replaces it and leaves the rest');
select fixture.signal('user_time_zone', :'nassir', null, '{"timezone": "Europe/Paris"}', now() - interval '1 hour');
select is(pg_temp.zone(:'nassir'), 'Asia/Kolkata', 'one that is told late does not');
select is(pg_temp.noted(), null, 'nothing was noted');

select fixture.signal('user_time_zone', :'nassir', null, jsonb_build_object('timezone', z)) from unnest('{Mars/Olympus,XYZ-3,5,""}'::text[]) z;
select is(pg_temp.zone(:'nassir'), 'Asia/Kolkata', 'what is no zone changes nothing');
select is(pg_temp.noted(), '22023: time zone "Mars/Olympus" is not known; 22023: time zone "XYZ-3" is not known; 22023: time zone "5" is not known; 22023: time zone "" is not known',
    'and is noted');
select is((select count(*) from public.email_signals where kind = 'user_time_zone'), 8::bigint, 'and no call failed');
delete from public.email_trigger_errors;
select fixture.signal('user_time_zone', :'nassir', null, jsonb_build_object('timezone', z)) from unnest('{UTC,Etc/GMT+3,EST5EDT,America/Port-au-Prince}'::text[]) z;
select is(coalesce(pg_temp.noted(), pg_temp.zone(:'nassir')), 'America/Port-au-Prince', 'names with digits and hyphens are zones');
select fixture.signal('user_time_zone', :'nassir', null, '{}'), fixture.signal('user_time_zone', null, null, '{"timezone": "UTC"}');
select is(pg_temp.noted(), '22004: field "timezone" is missing; 22004: field "user_id" is missing', 'what is missing is named');
delete from public.email_trigger_errors;
insert into public.email_forgotten (user_id) values (:'other');
select fixture.signal('user_time_zone', :'other', null, '{"timezone": "UTC"}');
select is(pg_temp.zone(:'other'), null, 'nothing is kept about who was forgotten');
delete from public.email_forgotten;

-- The weekly report follows it.
select is((select zone from public.email_zones() where name = 'America/Port-au-Prince'), 'America/Port-au-Prince', 'local-time mail reckons with it');

-- project_contact ---------------------------------------------------------------------------------------------------------------
select fixture.project(:'nassir', 'API Gateway') as project \gset
create function pg_temp.contacts() returns text language sql
as $$ select string_agg(format('%s %s %s', email, role, case when user_id is null then 'guest' else 'user' end), '; ' order by email, role) from public.email_project_contacts $$;
create function pg_temp.tell(contact jsonb, at timestamptz default null) returns bigint language sql
as $$ select fixture.signal('project_contact', (select owner_id from public.projects), (select id from public.projects), contact, at) $$;
select pg_temp.tell('{"email": "ops@acme.com", "role": "on_call"}');
select is(pg_temp.contacts(), 'ops@acme.com on_call guest', 'a contact without an account');
select pg_temp.tell('{"email": "Other@example.com", "role": "admin"}');
select is(pg_temp.contacts(), 'Other@example.com admin user; ops@acme.com on_call guest', 'and one with an account, whoever told it');
select pg_temp.tell('{"email": "OPS@acme.com", "role": "on_call"}');
select is(pg_temp.contacts(), 'Other@example.com admin user; ops@acme.com on_call guest', 'the same address in capitals is the same contact');
select unsubscribe_token as token from public.email_project_contacts where email = 'ops@acme.com' \gset
select pg_temp.tell('{"email": "ops@acme.com", "role": "admin", "removed": false}');
select is(pg_temp.contacts(), 'Other@example.com admin user; ops@acme.com admin guest; ops@acme.com on_call guest', 'a second role is a second row');
select is((select unsubscribe_token from public.email_project_contacts where email = 'ops@acme.com' and role = 'on_call'), :'token', 'and the first keeps its token');
select results_eq(
    format($$ select to_email, key_suffix from public.email_project_recipients(%L, 'on_call') offset 1 $$, :'project'),
    $$ values ('ops@acme.com', ':ops@acme.com') $$, 'letters find them');
select pg_temp.tell('{"email": "ops@ACME.com", "role": "admin", "removed": true}');
select is(pg_temp.contacts(), 'Other@example.com admin user; ops@acme.com on_call guest', 'one role removed');
select pg_temp.tell('{"email": "ops@acme.com", "role": "admin"}', now() - interval '1 minute');
select is(pg_temp.contacts(), 'Other@example.com admin user; ops@acme.com on_call guest', 'one that is told late does not come back');
select pg_temp.tell('{"email": "ops@acme.com", "role": "admin"}'), pg_temp.tell('{"email": "ops@acme.com", "removed": "true"}');
select is(pg_temp.contacts(), 'Other@example.com admin user', 'without a role removed from all');
select is(pg_temp.noted(), null, 'nothing was noted');
select pg_temp.tell('{"email": "ops", "role": "admin"}'), pg_temp.tell('{"email": "ops@acme.com", "role": "boss"}'), pg_temp.tell('{"role": "admin"}'), pg_temp.tell('{"email": "ops@acme.com"}'),
    fixture.signal('project_contact', null, null, '{"email": "ops@acme.com", "role": "admin"}');
select is((select count(*) from public.email_trigger_errors where source = 'email_told_people'), 5::bigint, 'what cannot be kept is noted');
select matches(pg_temp.noted(), '^23514: .*email_form.*; 23514: .*role_known.*; 22004: field "email" is missing; 22004: field "role" is missing; 22004: field "project_id" is missing$', 'and says why');
select is(pg_temp.contacts(), 'Other@example.com admin user', 'and changes nothing');

-- Rule 1, and what was missed ----------------------------------------------------------------------------------------------------
delete from public.email_trigger_errors;
alter table public.email_preferences rename to gone;
select lives_ok($$ select public.email_signal('user_time_zone', (select id from public.users where name like 'Other%'), null, '{"timezone": "UTC"}') $$, 'whatever breaks on our side, the signal is recorded');
alter table public.gone rename to email_preferences;
select is(public.email_replay_errors(), 1, 'and made up for');
select is(pg_temp.zone(:'other'), 'UTC', 'once it is mended');
select public.email_forget_user(:'other');
select is((select count(*) from public.email_signals where payload ->> 'email' ilike 'other@%'), 0::bigint, 'who is forgotten is erased from what was told');

select * from finish();
rollback;
