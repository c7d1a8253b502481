-- E-TRX-01: the welcome.
begin;
\ir support/fixtures.sql
select plan(23);

select fixture.account('nassir') as nassir \gset
select is(fixture.keys_of('E-TRX-01'), array['welcome_signup:' || :'nassir'], 'signing up causes one letter with the catalogue''s key');
select results_eq(
    $$ select user_id, project_id, to_email, payload, run_at, due_at from fixture.rows_of('E-TRX-01') $$,
    format($$ values (%L::uuid, null::uuid, null::text, '{}'::jsonb, now(), now()) $$, :'nassir'),
    'it goes to the user, now'
);
select is(fixture.gate_of('welcome_signup:' || :'nassir'), 'send', 'the letter may go out');
select is(fixture.recipient_of('welcome_signup:' || :'nassir'), 'nassir@example.com', 'to the user''s address');
select is(fixture.context_of('welcome_signup:' || :'nassir') ->> 'first_name', 'Nassir', 'by first name');

-- Whose account is the answer to an invitation.
select fixture.account('nadia') as nadia \gset
select fixture.project(:'nadia', 'Checkout API') as shared \gset
select fixture.signal('invitation_created', :'nadia', :'shared', '{"invitation_id": "i1", "invitee_email": "Nassir@example.com", "accept_url": "https://app.example.com/i1"}');
select is(fixture.context_of('welcome_signup:' || :'nassir') - '{first_name,time_zone,cta_path}'::text[],
    '{"invitation_accepted": false, "project_name": "Checkout API", "inviter_name": "Nadia Martin", "accept_url": "https://app.example.com/i1"}'::jsonb, 'who was invited is welcomed to that project');
select fixture.signal('invitation_accepted', :'nassir', :'shared', '{"invitation_id": "i1"}');
select is(fixture.context_of('welcome_signup:' || :'nassir') - '{first_name,time_zone,cta_path}'::text[],
    '{"invitation_accepted": true, "project_name": "Checkout API", "inviter_name": "Nadia Martin"}'::jsonb, 'also when they accepted already: nothing is left to accept');
select fixture.signal('invitation_created', :'nadia', null, '{"invitation_id": "i2", "invitee_email": "nadia@example.com"}');
select fixture.signal('invitation_revoked', :'nadia', null, '{"invitation_id": "i2"}');
select is(fixture.context_of('welcome_signup:' || :'nadia') ? 'invitation_accepted', false, 'a revoked invitation is none');
delete from public.users where id = :'nadia';
delete from public.email_outbox where email_type <> 'E-TRX-01' or user_id = :'nadia';

update public.users set is_active = false where id = :'nassir';
select is(fixture.gate_of('welcome_signup:' || :'nassir'), 'suppress: user not active', 'a user who is not active gets none');
update public.users set is_active = true where id = :'nassir';
select is(fixture.keys_of('E-TRX-01'), array['welcome_signup:' || :'nassir'], 'becoming active again is no second cause');

select fixture.account('awaits', false) as awaits \gset
select is(fixture.row_of('welcome_signup:' || :'awaits') is null, true, 'an account that is not active yet causes nothing');
update public.users set name = 'Awaits Confirmation' where id = :'awaits';
select is(fixture.row_of('welcome_signup:' || :'awaits') is null, true, 'nor does an update that leaves it so');
update public.users set is_active = true;
select isnt(fixture.row_of('welcome_signup:' || :'awaits') is null, true, 'becoming active does');
select is(cardinality(fixture.keys_of('E-TRX-01')), 2, 'in a bulk update only those who became active count');

insert into public.users (name, email, hashed_password)
select 'Many ' || n, n || '@many.example', 'x' from generate_series(1, 50) n;
select is(cardinality(fixture.keys_of('E-TRX-01')), 52, 'a bulk insert causes one letter each');

update public.email_types set active_since = now() + interval '1 second' where code = 'E-TRX-01';
select fixture.account('old') as old \gset
select is(fixture.row_of('welcome_signup:' || :'old') is null, true, 'nobody is welcomed who signed up before active_since');
update public.email_types set active_since = now() - interval '1 day' where code = 'E-TRX-01';
insert into public.users (name, email, hashed_password, is_active, created_at) values ('Dormant', 'dormant@example.com', 'x', false, now() - interval '2 days') returning id as dormant \gset
update public.users set is_active = true where id = :'dormant';
select is(fixture.row_of('welcome_signup:' || :'dormant') is null, true, 'nor who signed up before it and becomes active after');
update public.email_types set enabled = false where code = 'E-TRX-01';
select fixture.account('unwanted') as unwanted \gset
select is(fixture.row_of('welcome_signup:' || :'unwanted') is null, true, 'a disabled type enqueues nothing');
update public.email_types set enabled = true, active_since = now() - interval '1 day' where code = 'E-TRX-01';

select is_empty(
    $$ select fixture.broken_by('E-TRX-01', 'insert into public.users (name, email, hashed_password) values (''A'', ''a@sabotage.example'', ''x'')') $$,
    'whatever breaks on our side, signing up works and the miss is noted'
);
select jsonb_agg(n -> 'row_data') as notes
from fixture.notes_without('E-TRX-01', 'alter table public.users drop column is_active',
    'update public.users set name = ''C'' where email = ''nassir@example.com''; update public.users set name = ''D'' where email = ''nassir@example.com''') n
where n ->> 'error' like '42703: %is_active%' \gset
select is(
    :'notes'::jsonb,
    (select jsonb_build_array(jsonb_build_object('user_id', u.id, 'created_at', u.created_at)) from public.users u where u.email = 'nassir@example.com'),
    'a column that disappeared is noted, once per user, with ids and no secrets'
);
select fixture.move_clock('1 hour');
select jsonb_agg(n -> 'row_data') as notes
from fixture.notes_without('E-TRX-01', 'alter table public.users drop column is_active', 'insert into public.users (name, email, hashed_password) values (''E'', ''e@sabotage.example'', ''x'')') n
where n ->> 'error' like '42703: %is_active%' \gset
select is((:'notes'::jsonb -> 0 ->> 'at')::timestamptz, public.email_now(), 'with the moment of a sign-up, from which the letter expires');
select fixture.move_clock('0');
select fixture.replayed_keys('E-TRX-01', 'insert into public.users (name, email, hashed_password) values (''D'', ''d@replay.example'', ''x'')') as replayed \gset
select is(
    :'replayed'::text[], array(select 'welcome_signup:' || u.id from public.users u where u.email = 'd@replay.example'),
    'what was missed is made up for'
);
select is_empty($$ select from public.email_trigger_errors where replayed_at is null $$, 'and its note is closed');

select * from finish();
rollback;
