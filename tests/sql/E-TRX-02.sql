-- E-TRX-02: the invitation, its two reminders, and what ends them.
begin;
\ir support/fixtures.sql
select plan(37);

select fixture.account('nadia') as nadia \gset
select fixture.project(:'nadia') as project \gset
select fixture.signal('invitation_created', :'nadia', :'project',
    '{"invitation_id": "inv_71", "invitee_email": "devops@acme.example", "inviter_name": "Nadia B.", "accept_url": "https://app.example/i/7f"}') as invited \gset

select results_eq(
    $$ select dedupe_key, run_at - now(), due_at = run_at, user_id, project_id, to_email, payload ->> 'step' from fixture.rows_of('E-TRX-02') $$,
    format($$ values
        ('invitation:inv_71:J0', interval '0', true, %1$L::uuid, %2$L::uuid, 'devops@acme.example', 'J0'),
        ('invitation:inv_71:J2', interval '2 days', true, %1$L::uuid, %2$L::uuid, 'devops@acme.example', 'J2'),
        ('invitation:inv_71:J5', interval '5 days', true, %1$L::uuid, %2$L::uuid, 'devops@acme.example', 'J5') $$, :'nadia', :'project'),
    'an invitation causes three steps to the invited address, each with its key and time'
);
select is(
    fixture.context_of('invitation:inv_71:J2'),
    jsonb_build_object(
        'first_name', null, 'time_zone', 'Europe/Paris', 'step', 'J2', 'project_name', 'API Gateway', 'project_id', :'project',
        'inviter_name', 'Nadia B.', 'inviter_email', 'nadia@example.com', 'accept_url', 'https://app.example/i/7f', 'invitation_id', 'inv_71',
        'invitee_email', 'devops@acme.example', 'signal_id', :invited),
    'the letter''s context: the signal''s keys, the step, the project; nobody else''s first name'
);
select is(fixture.context_of('invitation:inv_71:J5'), fixture.context_of('invitation:inv_71:J2') || '{"step": "J5"}', 'the same in every step, but for the step');
select is(fixture.recipient_of('invitation:inv_71:J0'), 'devops@acme.example', 'it goes to the invited person');

select fixture.signal('invitation_created', :'nadia', :'project', '{"invitation_id": "inv_71", "invitee_email": "devops@acme.example"}');
select is(cardinality(fixture.keys_of('E-TRX-02')), 3, 'the same invitation again starts nothing');
select fixture.signal('invitation_created', :'nadia', :'project', '{"invitation_id": "inv_72", "invitee_email": "devops@acme.example"}');
select is(cardinality(fixture.keys_of('E-TRX-02')), 6, 'another invitation starts its own sequence');
select is(fixture.context_of('invitation:inv_72:J0') ->> 'inviter_name', 'Nadia Martin', 'without a name in the signal the inviter''s own is used');
select is(fixture.context_of('invitation:inv_72:J0') ->> 'inviter_email', 'nadia@example.com', 'and the address is always the account''s');
update public.users set email = '7+nadia@users.noreply.github.com' where id = :'nadia';
select ok(not fixture.context_of('invitation:inv_72:J0') ? 'inviter_email', 'an address that takes no mail is not shown');
update public.users set email = 'nadia@example.com' where id = :'nadia';

-- The life of a sequence.
select is(fixture.gate_of('invitation:inv_71:J0'), 'send', 'the first step may go out at once');
select fixture.send_due();
select is((fixture.row_of('invitation:inv_71:J0')).status, 'sent', 'and goes');
select is((fixture.row_of('invitation:inv_71:J2')).status, 'queued', 'the reminder waits for its day');
select fixture.move_clock('2 days 1 second');
select fixture.send_due();
select is((fixture.row_of('invitation:inv_71:J2')).status, 'sent', 'then goes');

select fixture.signal('invitation_accepted', null, null, '{"invitation_id": "inv_71"}');
select results_eq(
    $$ select status, reason from fixture.row_of('invitation:inv_71:J5') $$, $$ values ('suppressed', 'invitation accepted') $$,
    'accepting ends what is left at once'
);
select results_eq(
    $$ select status::text, payload_json ->> 'reason' from public.email_deliveries where dedupe_key = 'invitation:inv_71:J5' $$,
    $$ values ('suppressed', 'invitation accepted') $$,
    'and the journal knows'
);
select is((fixture.row_of('invitation:inv_72:J5')).status, 'queued', 'another invitation is not touched by that');
select fixture.signal('invitation_revoked', :'nadia', :'project', '{"invitation_id": "inv_72"}');
select results_eq(
    $$ select status, reason from fixture.row_of('invitation:inv_72:J5') $$, $$ values ('suppressed', 'invitation revoked') $$,
    'revoking ends the sequence too'
);

-- The claim decides again: an exit that came first, or that the trigger could not act on.
select fixture.signal('invitation_accepted', null, null, '{"invitation_id": "inv_73"}');
select fixture.signal('invitation_created', :'nadia', :'project', '{"invitation_id": "inv_73", "invitee_email": "x@acme.example"}');
select is(fixture.gate_of('invitation:inv_73:J0'), 'suppress: invitation accepted', 'accepted before it was told of: never sent');

-- Several overdue steps.
select fixture.signal('invitation_created', :'nadia', :'project', '{"invitation_id": "inv_74", "invitee_email": "late@acme.example"}');
select fixture.move_clock('4 days 2 hours');
select is(fixture.gate_of('invitation:inv_74:J0'), 'suppress: superseded', 'of several overdue steps the earlier is superseded, though it has expired by now');
select is(fixture.gate_of('invitation:inv_74:J2'), 'send', 'and the latest may go');
select fixture.send_due();
select results_eq(
    $$ select payload ->> 'step', status, reason from fixture.rows_of('E-TRX-02') where dedupe_key like 'invitation:inv\_74:%' $$,
    $$ values ('J0', 'suppressed', 'superseded'), ('J2', 'sent', null), ('J5', 'queued', null) $$,
    'so the claim does it'
);
select fixture.move_clock('30 days');
select is(fixture.gate_of('invitation:inv_74:J5'), 'suppress: expired', 'a step nobody could send in time expires');
select fixture.move_clock('0');

-- Told late: the steps run from when it happened, not from when we heard of it.
update public.email_types set active_since = now() - interval '7 days' where code = 'E-TRX-02';
select fixture.signal('invitation_created', :'nadia', :'project', '{"invitation_id": "inv_79", "invitee_email": "f@acme.example"}', now() - interval '1 day');
select results_eq(
    $$ select payload ->> 'step', run_at - now(), due_at - now() from fixture.rows_of('E-TRX-02') where dedupe_key like 'invitation:inv\_79:%' $$,
    $$ values ('J0', interval '-1 day', interval '-1 day'), ('J2', '1 day', '1 day'), ('J5', '4 days', '4 days') $$,
    'the steps of an invitation told of a day late run from when it was made'
);
select fixture.signal('invitation_revoked', :'nadia', :'project', '{"invitation_id": "inv_79"}');
select results_eq(
    $$ select distinct status, reason from fixture.rows_of('E-TRX-02') where dedupe_key like 'invitation:inv\_79:%' $$, $$ values ('suppressed', 'invitation revoked') $$,
    'revoking it ends its first step, which waited, with the others'
);

-- What a fact lacks.
select fixture.signal('invitation_created', :'nadia', :'project', '{"invitee_email": "a@acme.example"}') as nokey \gset
select results_eq(
    $$ select error, row_data from fixture.errors_of('E-TRX-02') $$,
    format($$ values ('22004: field "invitation_id" is missing', '{"signal_id": %s}'::jsonb) $$, :'nokey'),
    'without invitation_id there is no key: noted, naming the field'
);
select fixture.signal('invitation_created', :'nadia', :'project', '{"invitation_id": "inv_75"}');
select is(fixture.gate_of('invitation:inv_75:J0'), 'fail: 22004: field "invitee_email" is missing', 'without invitee_email it fails, naming the field');
insert into public.email_outbox (email_type, user_id, dedupe_key, payload)
values ('E-TRX-02', :'nadia', 'invitation:inv_76:J0', '{"invitee_email": "plain@acme.example"}');
select is(fixture.recipient_of('invitation:inv_76:J0'), 'plain@acme.example', 'a plain insert goes to the invited address as well, not to the inviter');
select is(fixture.context_of('invitation:inv_76:J0') - '{first_name,time_zone,cta_path}'::text[],
    '{"invitation_id": "inv_76", "invitee_email": "plain@acme.example", "step": "J0", "inviter_name": "Nadia Martin", "inviter_email": "nadia@example.com"}',
    'and its id and step are read from the key');
select fixture.signal('invitation_created', null, :'project', '{"invitation_id": "inv_77", "invitee_email": "b@acme.example"}');
select is((select error from fixture.errors_of('E-TRX-02') order by id desc limit 1), '22004: field "user_id" is missing', 'nor is there a letter without an inviter');
select fixture.signal('invitation_created', :'nadia', :'project', jsonb_build_object('invitation_id', repeat('i', 250), 'invitee_email', 'c@acme.example'));
select matches((select error from fixture.errors_of('E-TRX-02') order by id desc limit 1), '^23514: .*"email_outbox_dedupe_key_has_1_to_255_characters"', 'a key that is too long is noted');
select is((select count(*) from public.email_signals where kind = 'invitation_created'), 10::bigint, 'and every signal was recorded');

select fixture.signal('invitation_created', :'nadia', :'project', '{"invitation_id": "inv_78", "invitee_email": "d@acme.example"}', now() - interval '10 years');
select is(fixture.row_of('invitation:inv_78:J0') is null, true, 'an invitation from before active_since causes nothing');

select is_empty(
    $$ select fixture.broken_by('E-TRX-02', 'insert into public.email_signals (kind, user_id, payload) select ''invitation_created'', u.id, ''{"invitation_id": "inv_80", "invitee_email": "e@acme.example"}'' from public.users u') $$,
    'whatever breaks on our side, the signal is recorded and the miss is noted'
);
select fixture.replayed_keys('E-TRX-02', 'insert into public.email_signals (kind, user_id, payload) select ''invitation_created'', u.id, ''{"invitation_id": "inv_81", "invitee_email": "e@acme.example"}'' from public.users u') as replayed \gset
select is(:'replayed'::text[], '{invitation:inv_81:J0,invitation:inv_81:J2,invitation:inv_81:J5}', 'a missed invitation is made up for');
alter table public.email_outbox rename to gone;
select fixture.signal('invitation_revoked', :'nadia', null, '{"invitation_id": "inv_81"}');
alter table public.gone rename to email_outbox;
select is((fixture.row_of('invitation:inv_81:J2')).status, 'queued', 'a missed exit leaves the row queued');
select is(fixture.gate_of('invitation:inv_81:J2'), 'suppress: invitation revoked', 'but it would not go out');
select public.email_replay_errors();
select is((fixture.row_of('invitation:inv_81:J2')).reason, 'invitation revoked', 'and the exit is made up for too');

select * from finish();
rollback;
