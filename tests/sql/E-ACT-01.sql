-- E-ACT-01: signed up, no project yet.
begin;
\ir support/fixtures.sql
select plan(21);

select fixture.account('nassir') as nassir \gset
select results_eq(
    $$ select dedupe_key, user_id, project_id, to_email, run_at, due_at from fixture.rows_of('E-ACT-01') $$,
    format($$ values ('no_project_after_signup:' || %1$L, %1$L::uuid, null::uuid, null::text, now() + interval '2 hours', now() + interval '2 hours') $$, :'nassir'),
    'signing up causes one letter, two hours later'
);
update public.users set name = 'Nassir M.';
select is(cardinality(fixture.keys_of('E-ACT-01')), 1, 'an update causes no letter');
select fixture.account('early', false) as early \gset
select is(cardinality(fixture.keys_of('E-ACT-01')), 2, 'an account not active yet has its letter queued too');
select fixture.send_due();
select is((fixture.row_of('no_project_after_signup:' || :'nassir')).status, 'queued', 'the letter waits for its time');
select fixture.move_clock('2 hours');
select is(fixture.gate_of('no_project_after_signup:' || :'nassir'), 'send', 'the letter may go once its time has come');
select is(fixture.context_of('no_project_after_signup:' || :'nassir'), '{"first_name": "Nassir", "time_zone": "Europe/Paris"}', 'with nothing more than the name');
select is(fixture.gate_of('no_project_after_signup:' || :'early'), 'suppress: user not active', 'a user who is not active gets none');
select results_eq(
    $$ select c.untrue from public.email_outbox o cross join lateral public.email_act_01_current(array[o.id]) c where o.email_type = 'E-ACT-01' order by o.id $$,
    $$ values (null::text), ('user not active') $$, 'and the letter itself says so'
);
select fixture.project(:'nassir') as project \gset
select is(fixture.gate_of('no_project_after_signup:' || :'nassir'), 'suppress: owns a project', 'nobody hears "you have no project" after creating one');
select fixture.send_due();
select is((fixture.row_of('no_project_after_signup:' || :'nassir')).reason, 'owns a project', 'the claim suppresses a letter that is untrue');
delete from public.projects;
insert into public.email_outbox (email_type, user_id, dedupe_key) values ('E-ACT-01', :'nassir', 'no_project_after_signup:' || :'nassir');
select is(cardinality(fixture.keys_of('E-ACT-01')), 2, 'the key of a suppressed letter stays used');
select fixture.move_clock('0');

-- Who was invited has a project to look at.
select fixture.account('nadia') as nadia \gset
select fixture.project(:'nadia', 'Shared') as shared \gset
select fixture.account('invited') as invited \gset
select 'no_project_after_signup:' || :'invited' as invited_key \gset
select fixture.move_clock('2 hours');
select is(fixture.gate_of(:'invited_key'), 'send', 'nobody invited them');
select fixture.signal('invitation_created', :'nadia', :'shared', '{"invitation_id": "i1", "invitee_email": "  Invited@Example.com ", "accept_url": "https://app.example.com/i1"}');
select is(fixture.gate_of(:'invited_key'), 'suppress: invited to a project', 'not while an invitation to that address waits, in whatever case it was typed');
select fixture.signal('invitation_revoked', :'nadia', :'shared', '{"invitation_id": "i1"}');
select is(fixture.gate_of(:'invited_key'), 'send', 'but once it is revoked');
select fixture.signal('invitation_created', :'nadia', :'shared', '{"invitation_id": "i2", "invitee_email": "invited@example.com"}');
select fixture.signal('invitation_accepted', :'invited', :'shared', '{"invitation_id": "i2"}');
select is(fixture.gate_of(:'invited_key'), 'suppress: joined a project by invitation', 'nor after one was accepted');
select fixture.signal('invitation_created', :'nadia', :'shared', jsonb_build_object('invitation_id', 'i3', 'invitee_email', repeat('é', 5000) || '@example.com'));
select is_empty($$ select error from fixture.errors_of('E-ACT-01') $$, 'an address of any length breaks nothing');
delete from public.projects;
delete from public.email_outbox where email_type in ('E-ACT-02', 'E-TRX-02') or user_id <> (select id from public.users where email = 'nassir@example.com');
select fixture.move_clock('0');

update public.email_types set params = '{"delay": "3 days"}', active_since = now() - interval '1 hour' where code = 'E-ACT-01';
insert into public.users (name, email, hashed_password, created_at) values ('Past', 'past@example.com', 'x', now() - interval '2 hours'), ('Recent', 'recent@example.com', 'x', now() - interval '30 minutes');
select results_eq(
    $$ select u.email::text, o.run_at - u.created_at from fixture.rows_of('E-ACT-01') o join public.users u on u.id = o.user_id where u.email in ('past@example.com', 'recent@example.com') $$,
    $$ values ('recent@example.com', interval '3 days') $$,
    'the delay is a parameter, runs from the sign-up, and sign-ups before active_since cause nothing'
);
select is_empty(
    $$ select fixture.broken_by('E-ACT-01', 'insert into public.users (name, email, hashed_password) values (''A'', ''a@sabotage.example'', ''x'')') $$,
    'whatever breaks on our side, signing up works and the miss is noted'
);
select jsonb_agg(n -> 'row_data') as notes
from fixture.notes_without('E-ACT-01', 'alter table public.users rename column created_at to joined_at', 'insert into public.users (name, email, hashed_password) values (''A'', ''a@sabotage.example'', ''x'')') n
where n ->> 'error' like '42703: %created_at%' \gset
select is((select count(*) from jsonb_array_elements(:'notes'::jsonb) n where n ->> 'user_id' is not null), 1::bigint, 'a column that was renamed is noted');
select fixture.replayed_keys('E-ACT-01', 'insert into public.users (name, email, hashed_password) values (''D'', ''d@replay.example'', ''x'')') as replayed \gset
select is(:'replayed'::text[], array(select 'no_project_after_signup:' || u.id from public.users u where u.email = 'd@replay.example'), 'what was missed is made up for');
select is(
    (select o.run_at - u.created_at from public.users u join public.email_outbox o on o.dedupe_key = 'no_project_after_signup:' || u.id where u.email = 'd@replay.example'),
    interval '3 days', 'for the time it was due'
);

select * from finish();
rollback;
