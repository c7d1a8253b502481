-- What people do with rows: cancelling, trying again, phases, forgetting; in each state a row can be in.
begin;
\ir support/fixtures.sql
select plan(77);
update public.email_types set active_since = '-infinity', enabled = code in ('E-SEC-02', 'E-ADV-01', 'E-ADV-02', 'E-BILL-02', 'E-TRX-02');

create function pg_temp.row(code text, user_id uuid, key text, to_email text default null) returns bigint
language sql
as $$
select public.email_enqueue(code, user_id, key, '{"amount": 1200, "currency": "EUR", "ip": "203.0.113.1", "country": "FR", "device": "Firefox"}', to_email => to_email)
$$;
create function pg_temp.claim() returns bigint[]
language sql
as $$ select array_agg(c.id) from public.email_claim('fixture', 'console', 100, interval '1 minute') c $$;
create function pg_temp.settle(ids bigint[], outcomes text[]) returns integer
language sql
as $$
select public.email_settle('fixture', (select o.batch_id from public.email_outbox o where o.id = ids[1]), ids, outcomes,
    ids::text[], array(select case when x <> 'sent' then 'said no to n@example.com' end from unnest(outcomes) x), array_fill('Subject'::text, array[cardinality(ids)]),
    array_fill(null::double precision, array[cardinality(ids)]))
$$;
create function pg_temp.settle(ids bigint[], outcome text) returns integer
language sql
as $$ select pg_temp.settle(ids, array_fill(outcome, array[cardinality(ids)])) $$;
create function pg_temp.about(row_id bigint) returns text
language sql
as $$ select concat_ws(': ', o.status, o.reason) || coalesce(' / journal ' || nullif(concat_ws(': ', d.status, d.payload_json ->> 'reason'), ''), '')
from public.email_outbox o left join public.email_deliveries d on d.dedupe_key = o.dedupe_key where o.id = row_id $$;

select fixture.account('nassir') as nassir, fixture.account('nadia') as nadia \gset
delete from public.email_outbox;

-- Cancelling ----------------------------------------------------------------------------------------------------------------
select pg_temp.row('E-BILL-02', :'nassir', 'waits') as waits, pg_temp.row('E-BILL-02', :'nassir', 'flies') as flies, pg_temp.row('E-BILL-02', :'nassir', 'lands') as lands \gset
select is(public.email_cancel(:waits, 'wrong amount'), 'suppressed: wrong amount', 'email_cancel ends a queued row');
select is(pg_temp.about(:waits), 'suppressed: wrong amount / journal suppressed: wrong amount', 'a cancelled row ends in the outbox and the journal, with its reason');
select is(public.email_cancel(:waits), 'too late: suppressed', 'email_cancel of a cancelled row says that it is too late');
select throws_ok('select public.email_cancel(-5)', 'no row -5 in the outbox', 'email_cancel of a row that is not there is an error');
select is(pg_temp.claim(), array[:flies, :lands]::bigint[], 'two rows are being sent');
select matches(public.email_cancel(:flies), '^being sent: ', 'email_cancel of a row that is being sent says so');
select is(public.email_cancel(:lands, 'wrong amount') is not null, true, 'email_cancel of a row that is being sent answers with a reason of its own too');
select is(pg_temp.about(:flies), 'sending / journal queued', 'a row that is being sent is not ended by email_cancel');
select is(pg_temp.settle(array[:flies], 'transient') + pg_temp.settle(array[:lands], 'sent'), 2, 'of two cancelled rows in flight one was accepted');
select is(pg_temp.about(:flies), 'suppressed: cancelled / journal suppressed: cancelled', 'a cancelled row that was not accepted is ended');
select is(pg_temp.about(:lands), 'sent / journal sent', 'a cancelled row that was accepted went out');
select is(public.email_cancel(:lands), 'too late: sent', 'email_cancel of a row that went out says that it is too late');

-- Trying again ----------------------------------------------------------------------------------------------------------------
select pg_temp.row('E-BILL-02', :'nassir', 'refused') as refused, pg_temp.row('E-BILL-02', :'nassir', 'lost') as lost, pg_temp.row('E-SEC-02', :'nassir', 'also refused') as also \gset
select is(cardinality(pg_temp.claim()), 3, 'three letters are claimed');
select is(pg_temp.settle(array[:refused, :also], 'permanent') + pg_temp.settle(array[:lost], 'lost'), 3, 'two of them are rejected and the outcome of one is given up');
select is(public.email_retry(:refused), 'due now', 'email_retry of a failed row makes it due now');
select is(pg_temp.about(:refused), 'queued / journal failed', 'the journal keeps the failure of a row until it is tried again');
select is((select array[o.attempts, o.claims] from public.email_outbox o where o.id = :refused), array[1, 0], 'a retried row has one attempt spent: the next request is another one for the provider');
select is(fixture.send_due(), 1, 'a retried row goes');
select is(pg_temp.about(:refused), 'sent / journal sent', 'a retried row is the one letter of its key');
select is(public.email_retry(:refused), 'nothing to do: sent', 'email_retry of a sent row does nothing');
select throws_ok(format('select public.email_retry(%s)', :lost), format('nobody knows whether the provider accepted row %s', :lost), 'email_retry of a row that may have arrived is an error');
select is(public.email_retry_failed('E-BILL-02'), 0, 'email_retry_failed leaves rows alone that may have arrived');
select is(public.email_retry_failed('E-SEC-02', public.email_now() + interval '1 second'), 0, 'email_retry_failed leaves rows alone that failed before the given moment');
select is(public.email_retry_failed(), 1, 'email_retry_failed takes the failed row of another code');
select is(fixture.send_due(), 1, 'the row that email_retry_failed took goes');
select is(public.email_retry(:lost, even_if_unknown => true), 'due now', 'email_retry sends a row that may have arrived when the caller says so');
select is(fixture.send_due(), 1, 'a row whose outcome was given up goes again');
select is(public.email_retry(:waits), 'due now', 'email_retry of a suppressed row makes it due now');
select is(fixture.send_due(), 1, 'a suppressed row that is retried goes');
select is(pg_temp.about(:waits), 'sent / journal sent', 'a suppressed row that is retried is sent under its own key');

select pg_temp.row('E-BILL-02', :'nassir', 'old') as old, pg_temp.row('E-BILL-02', :'nassir', 'later') as later \gset
update public.email_outbox set due_at = public.email_now() - interval '8 days' where id = :old;
update public.email_outbox set due_at = public.email_now() + interval '1 day', run_at = public.email_now() + interval '1 day' where id = :later;
select is(fixture.send_due(), 0, 'an expired row and one for tomorrow do not go');
select matches(public.email_retry(:old), '^due now, but it expired at .*: it will be suppressed$', 'email_retry of an expired row says that it will expire again');
select matches(public.email_retry(:later), '^waits for ', 'email_retry of a row that is not due yet says when it is');
select is(fixture.send_due(), 0, 'neither an expired row nor one for tomorrow goes by email_retry');
select is(array[pg_temp.about(:old), pg_temp.about(:later)], array['suppressed: expired / journal suppressed: expired', 'queued'], 'the expired row is suppressed, the one for tomorrow waits');

select pg_temp.row('E-BILL-02', :'nassir', 'backs off') as backs_off \gset
select is(pg_temp.settle(pg_temp.claim(), 'transient'), 1, 'a row waits for its next try after a transient failure');
select is(public.email_retry(:backs_off), 'due now', 'email_retry ends the wait for the next try');
select is(fixture.send_due(), 1, 'a row whose wait was ended goes');
delete from public.email_outbox;

-- Phases -------------------------------------------------------------------------------------------------------------------------
select is(public.email_enable_phase(1), (select count(*)::integer from public.email_types t where t.phase = 1), 'email_enable_phase(1) counts the codes of phase 1');
select set_eq('select t.code from public.email_types t where t.enabled', 'select t.code from public.email_types t where t.phase <= 1', 'after email_enable_phase(1) only codes of phase 1 are enabled');
select is(pg_temp.row('E-ADV-01', :'nadia', 'survey'), null, 'a disabled code enqueues nothing');
select is(public.email_enable_phase(3), 22, 'email_enable_phase(3) enables all 22 codes');
select is((select count(*) from public.email_types t where t.enabled and t.phase > 1 and t.active_since = public.email_now()), (select count(*) from public.email_types t where t.phase > 1),
    'codes that a phase enables look at nothing older than that');
select pg_temp.row('E-ADV-01', :'nadia', 'survey') as survey \gset
select is(public.email_enable_phase(2), (select count(*)::integer from public.email_types t where t.phase <= 2), 'email_enable_phase(2) disables the codes of phase 3');
select is(pg_temp.about(:survey), 'suppressed: type disabled / journal suppressed: type disabled', 'queued rows of codes that a phase disables are suppressed');
select is(public.email_enable_phase(3), 22, 'email_enable_phase(3) enables all codes again');
update public.email_types set active_since = '-infinity', enabled = code in ('E-SEC-02', 'E-ADV-01', 'E-ADV-02', 'E-BILL-02', 'E-TRX-02');
delete from public.email_outbox;
delete from public.email_deliveries;

-- Forgetting ------------------------------------------------------------------------------------------------------------------------
-- Traces everywhere: sent, queued, failed, in flight; invitations to them, copies, signals, notes, events.
select fixture.project(:'nadia', 'Secret') as project \gset
insert into public.email_project_contacts (project_id, email, role, user_id) values (:'project', 'nassir.work@example.com', 'admin', :'nassir'), (:'project', 'other@example.com', 'admin', null);
insert into public.email_preferences (user_id, timezone) values (:'nassir', 'Europe/Rome') on conflict (user_id) do update set timezone = excluded.timezone;
insert into public.email_suppressions (email, reason) values ('Nassir@example.com', 'complained'), ('someone@example.com', 'bounced');
select pg_temp.row('E-SEC-02', :'nassir', 'went out') as sent, pg_temp.row('E-BILL-02', :'nassir', 'broke') as broke \gset
select is(cardinality(pg_temp.claim()), 2, 'two letters of the user to forget are claimed');
select is(pg_temp.settle(array[:sent], 'sent') + pg_temp.settle(array[:broke], 'permanent'), 2, 'one of them is sent, one fails');
insert into public.email_events (email_delivery_id, event_type, occurred_at, details)
select d.id, 'delivered', now(), '{"to": "nassir@example.com"}' from public.email_deliveries d where d.outbox_id = :sent;
select pg_temp.row('E-SEC-02', :'nassir', 'in flight') as in_flight, pg_temp.row('E-SEC-02', :'nadia', 'beside it') as beside \gset
select is(cardinality(pg_temp.claim()), 2, 'two are in flight in one request');
insert into public.email_batches (batch_id, provider, endpoint, worker, recovery, in_flight_until, resolve_until, members, idempotency_key, body_sha256, settings, tokens, tracked)
select o.batch_id, 'resend', '/emails/batch', 'fixture', 'repeat', clock_timestamp(), clock_timestamp() + interval '1 day', array[:in_flight, :beside], 'k', decode(repeat('00', 32), 'hex'), '{}',
    array[null, null]::uuid[], array[false, false]
from public.email_outbox o where o.id = :in_flight;
select pg_temp.row('E-BILL-02', :'nassir', 'queued') as queued, pg_temp.row('E-BILL-02', :'nadia', 'queued for nadia') as nadias,
    pg_temp.row('E-ADV-02', :'nadia', 'copy:nassir.work@example.com', 'nassir.work@example.com') as copy \gset
select fixture.signal('invitation_created', :'nadia', :'project', '{"invitation_id": "i1", "invitee_email": "NASSIR@example.com", "inviter_name": "Nadia"}');
select fixture.signal('login', :'nassir', null, '{"ip": "203.0.113.77", "country": "FR", "device": "Firefox"}');
insert into public.email_trigger_errors (source, email_type, error, row_data) values
('users', 'E-TRX-01', '23505: Key (email)=(nassir@example.com) already exists', jsonb_build_object('user_id', :'nassir', 'created_at', now())),
('users', 'E-TRX-01', 'P0001: other', jsonb_build_object('user_id', :'nadia', 'created_at', now()));

select is(public.email_forget_user(:'nassir'), 'forgotten: 5 queued letters dropped, 3 letters of the journal erased, 1 more once it is known what became of them', 'email_forget_user says what it dropped, erased and waits for');
select is(array[pg_temp.about(:queued), pg_temp.about(:copy), pg_temp.about(:nadias)],
    array['suppressed: forgotten / journal suppressed: forgotten', 'suppressed: forgotten / journal suppressed: forgotten', 'queued'], 'queued letters for a forgotten user are dropped, others'' are not');
select is((select d.status || coalesce(d.payload_json::text, ' and nothing') from public.email_deliveries d where d.outbox_id = :sent), 'sent and nothing', 'of a forgotten user''s letter only the fact that it was sent stays');
select is((select d.payload_json is not null and d.payload_json <> '{}' from public.email_deliveries d where d.outbox_id = :in_flight), true, 'a letter in flight keeps what it takes to repeat it');

create function pg_temp.traces(words text[]) returns setof text
language plpgsql
as $$
declare
    relation record;
    word text;
    hits bigint;
begin
    for relation in
        select c.oid, c.relname from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname like 'email\_%' order by 2
    loop
        foreach word in array words loop
            execute format('select count(*) from public.%I t where strpos(lower(replace(t::text, ''copy:'' || %L, '''')), %L) > 0', relation.relname, word, word) into hits;
            if hits > 0 then
                return next relation.relname || ': ' || word;
            end if;
        end loop;
    end loop;
end
$$;
select set_eq($$ select pg_temp.traces(array['nassir@example.com', 'nassir.work@example.com', 'nassir', '203.0.113.77', 'rome']) $$,
    array['email_deliveries: nassir', 'email_deliveries: nassir@example.com', 'email_deliveries: rome'], 'no trace of them is left in any table, save of what is in flight');
select is(public.email_forget_user(:'nassir') is not null, true, 'email_forget_user can be repeated');
select is(pg_temp.settle(array[:in_flight, :beside], array['sent', 'unknown']), 2, 'the letter in flight was accepted, its companion''s outcome is unknown');
select is((select d.payload_json ->> 'to_email' from public.email_deliveries d where d.outbox_id = :in_flight), 'nassir@example.com', 'while its companion is not settled the request may have to be repeated whole');
select is(pg_temp.settle(array[:beside], 'sent'), 1, 'the companion of the letter in flight was accepted');
select is_empty($$ select pg_temp.traces(array['nassir@example.com', 'nassir.work@example.com', 'nassir', '203.0.113.77', 'rome']) $$, 'once the request is settled no trace of the forgotten user is left');
select is((select d.status || coalesce(d.payload_json::text, ' and nothing') from public.email_deliveries d where d.outbox_id = :in_flight), 'sent and nothing', 'the journal keeps that the letter in flight was sent');
select isnt((select d.payload_json ->> 'to_email' from public.email_deliveries d where d.outbox_id = :beside), null, 'the companion''s letter keeps its address');
select is((select count(*) from public.email_project_contacts), 1::bigint, 'contacts of others stay when a user is forgotten');
select is((select count(*) from public.email_suppressions), 1::bigint, 'suppressions of others stay when a user is forgotten');
select is((select e.row_data ->> 'user_id' from public.email_trigger_errors e where e.replayed_at is null), :'nadia', 'notes about others stay when a user is forgotten');

-- Nothing more goes out, and no key comes back.
select is(pg_temp.row('E-SEC-02', :'nassir', 'went out'), null, 'keys of a forgotten user''s letters are remembered');
select pg_temp.row('E-SEC-02', :'nassir', 'something new') as new, pg_temp.row('E-SEC-02', :'nadia', 'copy to them', 'nassir@example.com') as new_copy \gset
select is(fixture.send_due(), 1, 'of three new letters only the one for another user goes');
select is(array[pg_temp.about(:new), pg_temp.about(:new_copy), pg_temp.about(:nadias)],
    array['suppressed: forgotten / journal suppressed: forgotten', 'suppressed: forgotten / journal suppressed: forgotten', 'sent / journal sent'], 'new letters to a forgotten user are suppressed, security included');
select is_empty($$ select pg_temp.traces(array['nassir@example.com', 'nassir', '203.0.113.77']) $$, 'a suppressed letter to a forgotten user leaves no trace');

-- Forgotten while in flight, and not accepted.
select fixture.account('nora') as nora \gset
select pg_temp.row('E-SEC-02', :'nora', 'not accepted') as refused, pg_temp.row('E-SEC-02', :'nora', 'back to the queue') as back \gset
select is(cardinality(pg_temp.claim()), 2, 'two letters of another user are in flight');
select is(public.email_forget_user(:'nora'), 'forgotten: 0 queued letters dropped, 0 letters of the journal erased, 2 more once it is known what became of them', 'email_forget_user waits for letters in flight');
select is(pg_temp.settle(array[:refused], 'permanent') + pg_temp.settle(array[:back], 'transient'), 2, 'neither of the letters in flight was accepted');
select is(array[pg_temp.about(:refused), pg_temp.about(:back)], array['failed / journal failed', 'suppressed: forgotten / journal suppressed: forgotten'], 'letters of a forgotten user that were not accepted are not tried again');
select is_empty($$ select pg_temp.traces(array['nora']) $$, 'letters of a forgotten user that were not accepted are erased');
select is(public.email_forget_user(gen_random_uuid()), 'forgotten: 0 queued letters dropped, 0 letters of the journal erased', 'a user without letters can be forgotten');
select throws_ok('select public.email_forget_user(null)', 'whom? user_id is null', 'email_forget_user(null) is an error');

-- Slots ------------------------------------------------------------------------------------------------------------------------------
insert into public.email_marketing_slots (recipient, category, last_at, outbox_id) values ('old@example.com', 'marketing', public.email_now() - interval '32 days', 1), ('new@example.com', 'marketing', public.email_now() - interval '30 days', 2);
select is(public.email_cleanup_slots(), 1, 'email_cleanup_slots removes slots older than cooldown and 31 days');
select set_eq('select s.recipient from public.email_marketing_slots s', array['new@example.com'], 'email_cleanup_slots leaves younger slots');

select * from finish();
rollback;
