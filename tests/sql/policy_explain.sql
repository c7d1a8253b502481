-- email_explain for a row in each state it can be in, and for a user and a code. Each case is set up, explained, held against
-- what the claim then really does, and undone.
begin;
\ir support/fixtures.sql
select no_plan();
update public.email_types set active_since = '-infinity', enabled = code in ('E-ACT-01', 'E-SEC-02', 'E-ADV-01', 'E-ADV-02', 'E-BILL-01', 'E-BILL-02', 'E-RET-03');
select fixture.account('nassir') as user \gset
update public.users set created_at = now() - interval '15 days' where id = :'user';
delete from public.email_outbox;
select public.email_enqueue('E-ACT-01', :'user', 'row') as row \gset

-- Each case: what is done to the row (id in $1, user in $2), what must be said, and what the next claim makes of it.
create table fixture.explained (place integer generated always as identity, what text, setup text, says text[], becomes text);
insert into fixture.explained (what, setup, says, becomes) values
('due', 'select', array['Sending is on: the database is armed and nothing is paused as a whole.', 'E-ACT-01 is not paused.', 'It is not a step of a sequence.', 'It does not expire before %',
    'E-ACT-01 is enabled.', 'The user was not forgotten.', 'User %s exists.', 'n…@example.com is not suppressed.', 'The recipient''s account is active and has not opted out of product updates.',
    'Nobody is held out of E-ACT-01.', 'It is still true.', 'The recipient''s product slot is free.', 'So it goes out with the next claim, to n…@example.com.'], 'sending'),
('not due yet', 'update public.email_outbox set run_at = public.email_now() + interval ''2 hours'', due_at = public.email_now() + interval ''2 hours'' where id = $1',
    array['It is still true.', 'So it waits until {+2 hours}, the moment it is due.'], 'queued'),
('everything paused', 'update public.email_settings set paused_at = public.email_now(), paused_reason = ''migration''',
    array['Everything is paused since {+0} (migration); select email_resume() starts again.', 'So it waits until sending is on again.'], 'queued'),
('not armed', 'update public.email_settings set armed_for = ''elsewhere''', array['Nothing is sent from this database: it is not the one that was armed%', 'So it waits until sending is on again.'], 'queued'),
('type paused', 'select public.email_pause(''E-ACT-01'', ''wording'')', array['E-ACT-01 is paused since {+0} (wording): its rows wait until email_resume(''E-ACT-01'').', 'So it waits until its type is resumed.'], 'queued: type paused'),
('expired', 'update public.email_outbox set due_at = public.email_now() - interval ''4 days'' where id = $1',
    array['It expired at {-1 day}: 3 days after it was due.', 'So it will be suppressed with the next claim: expired.'], 'suppressed: expired'),
('forgotten', 'insert into public.email_forgotten (user_id) values ($2)', array['The user was forgotten at {+0}.', 'So it will be suppressed with the next claim: forgotten.'], 'suppressed: forgotten'),
('no such user', 'delete from public.users where id = $2', array['There is no user %', 'So it will be suppressed with the next claim: no such user.'], 'suppressed: no such user'),
('address suppressed', 'insert into public.email_suppressions (email, reason) values (''NASSIR@example.com'', ''bounced'')',
    array['n…@example.com is suppressed: bounced.', 'So it will be suppressed with the next claim: address suppressed: bounced.'], 'suppressed: address suppressed: bounced'),
('opted out', 'insert into public.email_preferences (user_id, product_updates_opt_in) values ($2, false) on conflict (user_id) do update set product_updates_opt_in = false',
    array['The recipient has opted out of product updates.', 'So it will be suppressed with the next claim: opted out of product updates.'], 'suppressed: opted out of product updates'),
('not active', 'update public.users set is_active = false where id = $2', array['The recipient''s account is not active: they get security and transactional mail only.', 'So it will be suppressed with the next claim: user not active.'], 'suppressed: user not active'),
('held out', 'update public.email_types set holdout_percent = 100 where code = ''E-ACT-01''', array['The recipient is among the 100 % held out of E-ACT-01.', 'So it will be suppressed with the next claim: holdout.'], 'suppressed: holdout'),
('not held out', 'update public.email_types set holdout_percent = 1 where code = ''E-ACT-01''', array['The recipient is not among the 1 % held out of E-ACT-01.', 'So it goes out with the next claim, to n…@example.com.'], 'sending'),
('untrue', 'select fixture.project($2)', array['It is not true any more: owns a project.', 'So it will be suppressed with the next claim: owns a project.'], 'suppressed: owns a project'),
('the question is broken', 'select fixture.break()', array['Whether it is still true cannot be told: 42P01:%', 'So it waits; it is asked again at {+0}.'], 'queued'),
('slot taken', 'insert into public.email_marketing_slots (recipient, category, last_at, outbox_id) values ($2::text, ''product'', public.email_now() - interval ''1 hour'', 77)',
    array['It does not get the recipient''s product slot before {+23 hours}: one capped product email in 24:00:00, the slot is free at {+23 hours} (outbox 77 has it).', 'So it waits until {+23 hours}.'], 'queued: cap: %'),
('deferred by the cap', 'insert into public.email_marketing_slots (recipient, category, last_at, outbox_id) values ($2::text, ''product'', public.email_now() - interval ''1 hour'', 77); select fixture.send_due()',
    array['It waits: cap: one capped product email in 24:00:00, the slot is free at {+23 hours} (outbox 77 has it).', 'It does not get the recipient''s product slot before {+23 hours}:%', 'So it waits until {+23 hours}.'], 'queued: cap: %'),
('its own slot', 'insert into public.email_marketing_slots (recipient, category, last_at, outbox_id) values ($2::text, ''product'', public.email_now(), $1)', array['It holds the recipient''s product slot already.', 'So it goes out with the next claim, to n…@example.com.'], 'sending'),
('will expire waiting', 'insert into public.email_marketing_slots (recipient, category, last_at, outbox_id) values ($2::text, ''product'', public.email_now(), 77); update public.email_outbox set due_at = due_at - interval ''2 days 1 hour'' where id = $1',
    array['It does not expire before {+23 hours}.', 'So it waits until {+1 day}, and will be suppressed as expired then.'], 'queued: cap: %'),
('a heavier one is near', 'select fixture.heavier($2)', array['It does not get the recipient''s marketing slot before {+1 hour}: E-ACT-01 (outbox %) is heavier marketing mail, due at {+1 hour}.', 'So it waits until {+1 hour}.'], 'queued: cap: %'),
('to be tried again', 'select fixture.fly(''transient'')', array['So it is tried again at %: said no (attempt 2 of 10).', 'It holds the recipient''s product slot already.'], 'queued'),
('in flight, not sent yet', 'select fixture.fly(null)', array['It passed every gate and was claimed at % by fixture, whose lease holds until %', 'Its request has not left yet.', 'It holds the recipient''s product slot of the cap until its outcome is known.'], 'sending'),
('in flight', 'select fixture.fly(null); select fixture.request(''sending'')', array['Its request left at %; the answer is awaited.'], 'sending'),
('nobody knows yet', 'select fixture.fly(null); select fixture.request(''unknown'')', array['Its request left at % and nobody knows whether it was accepted; that is being found out (by repeating it under its key) until %, and asked again at %'], 'sending'),
('cancelled in flight', 'select fixture.fly(null); select public.email_cancel($1, ''a mistake'')', array['Should the provider not have accepted it, it will be suppressed: a mistake.'], 'sending'),
('sent', 'select fixture.send_due()', array['It was sent at {+0} through console as %.'], 'sent'),
('sent, refused later', 'select fixture.send_due(); update public.email_deliveries set status = ''failed'', error_message = ''mailbox n@example.com full''',
    array['The provider said later that it failed: mailbox n…@example.com full.'], 'sent'),
('failed', 'select fixture.fly(''permanent'')', array['It failed at {+0} after 1 attempts: said no.', 'Were it tried now, it would be sent.'], 'failed'),
('unknown outcome', 'select fixture.fly(''lost'')', array['It failed at {+0} after 0 attempts: unknown outcome, said no.', 'Nobody knows whether the provider accepted it,%', 'It holds the recipient''s product slot already.'], 'failed: unknown outcome'),
('suppressed', 'select fixture.project($2); select fixture.send_due()', array['It was suppressed at {+0}: owns a project.', 'It is not true any more: owns a project.', 'Were it tried now, it would be suppressed: owns a project.'], 'suppressed: owns a project'),
('cancelled', 'select public.email_cancel($1, ''by hand'')', array['It was suppressed at {+0}: by hand.', 'Were it tried now, it would be sent.'], 'suppressed: by hand'),
('type disabled', 'update public.email_types set enabled = false where code = ''E-ACT-01''', array['It was suppressed at {+0}: type disabled.', 'E-ACT-01 is disabled.', 'Were it tried now, it would be suppressed: type disabled.'], 'suppressed: type disabled'),
('sent and gone', 'select fixture.send_due(); delete from public.email_outbox', array['Row %, E-ACT-01 (Signed up, no project yet) for user %, has left the outbox; the journal knows it as row.', 'It was sent at {+0} through console.', 'It will not be tried again; its key is never used twice.'], null),
('suppressed and gone', 'select public.email_cancel($1, ''by hand''); delete from public.email_outbox', array['It was suppressed: by hand.'], null),
('failed and gone', 'select fixture.fly(''permanent''); delete from public.email_outbox', array['It failed: said no.'], null),
('never there', 'delete from public.email_outbox', array['There is no row %, neither in the outbox nor in the journal.'], null);

create function fixture.break() returns void
language sql
as $$
create or replace function public.email_act_01_current(ids bigint[]) returns table (id bigint, untrue text, context jsonb)
language plpgsql as $f$ begin return query select o.id, null::text, '{}'::jsonb from public.gone o; end $f$
$$;
-- Claims everything due; a given outcome for it, or none yet.
create function fixture.fly(outcome text) returns void
language plpgsql
as $$
declare
    batch record;
begin
    select c.batch_id, array_agg(c.id) as ids, count(*)::integer as members into batch from public.email_claim('fixture', 'console', 100, interval '1 minute') c group by c.batch_id;
    if outcome is not null then
        perform public.email_settle('fixture', batch.batch_id, batch.ids, array_fill(outcome, array[batch.members]), batch.ids::text[], array_fill('said no'::text, array[batch.members]),
            -- A minute at least: the jitter of a backoff may be nothing.
            array_fill('subject'::text, array[batch.members]), array_fill(60::double precision, array[batch.members]));
    end if;
end
$$;
create function fixture.request(state text) returns void
language sql
as $$
insert into public.email_batches (batch_id, state, provider, endpoint, worker, recovery, in_flight_until, resolve_until, members, idempotency_key, body_sha256, settings, tracked)
select o.batch_id, state, 'resend', '/emails/batch', 'fixture', 'repeat', clock_timestamp(), clock_timestamp() + interval '1 day', array[o.id], 'k', decode(repeat('00', 32), 'hex'), '{}', array[false]
from public.email_outbox o where o.status = 'sending'
$$;
-- Makes the row a request for a review, which is lighter than the letter about projects that is due in an hour.
create function fixture.heavier(user_id uuid) returns void
language sql
as $$
update public.email_outbox set email_type = 'E-ADV-02' where dedupe_key = 'row';
-- Of the other's category, or it would not wait.
update public.email_types set category = 'marketing' where code = 'E-ACT-01';
select public.email_enqueue('E-ACT-01', user_id, 'heavier', run_at => public.email_now() + interval '1 hour')
$$;

-- What was said, and what the claim made of it; undone.
create function fixture.explain(it fixture.explained, row_id bigint, person uuid, out said text[], out became text)
language plpgsql
as $$
declare
    statement text;
begin
    begin
        foreach statement in array string_to_array(it.setup, '; ') loop
            execute replace(replace(statement, '$1', row_id::text), '$2', quote_literal(person));
        end loop;
        said := array(select e from public.email_explain(row_id) e);
        perform public.email_claim('fixture', 'console', 100, interval '1 minute');
        became := (select concat_ws(': ', o.status, o.reason) from public.email_outbox o where o.id = row_id);
        raise exception using errcode = 'ZZ001';
    exception when sqlstate 'ZZ001' then
        null;
    end;
end
$$;
-- {+2 hours} is that moment as an explanation writes it.
create function fixture.pattern(says text) returns text
language plpgsql
as $$
declare
    moment text;
begin
    for moment in select m[1] from regexp_matches(says, '\{([^}]*)\}', 'g') m loop
        says := replace(says, '{' || moment || '}', public.email_instant(public.email_now() + case moment when '+0' then interval '0' else moment::interval end));
    end loop;
    return says;
end
$$;

create table fixture.answers as
select x.*, e.said, e.became from fixture.explained x cross join lateral fixture.explain(x, :row, :'user') e;
select ok(exists (select from unnest(a.said) s where s like fixture.pattern(replace(w, '%s', '%'))), a.what || ': ' || w)
from fixture.answers a cross join unnest(a.says) with ordinality u (w, n) order by a.place, u.n;
select diag(a.what || e'\n  ' || array_to_string(a.said, e'\n  '))
from fixture.answers a where exists (select from unnest(a.says) w where not exists (select from unnest(a.said) s where s like fixture.pattern(replace(w, '%s', '%'))));
select ok(coalesce(a.became like coalesce(a.becomes, 'gone'), a.becomes is null), format('%s: and so it was, %s (%s)', a.what, coalesce(a.becomes, 'gone'), a.became)) from fixture.answers a order by a.place;
select is_empty('select a.what from fixture.answers a where exists (select from unnest(a.said) s where s is null or s !~ ''^[A-Zn0-9].*[.]$'')', 'every answer is made of whole sentences');
select is_empty('select a.what from fixture.answers a where a.said::text ~ ''nassir@''', 'no answer gives an address away');
select is((select count(*) from fixture.answers a where a.becomes like 'queued%' or a.becomes = 'sending' and a.what !~ 'flight|knows'),
    (select count(*) from fixture.answers a where (a.becomes like 'queued%' or a.becomes = 'sending' and a.what !~ 'flight|knows') and cardinality(a.said) >= 14),
    'what is queued is told a sentence per gate');

-- Sequences.
select fixture.project(:'user') as project \gset
select fixture.signal('payment_failed', :'user', :'project', '{"invoice_id": "in_1"}', now() - interval '3 days') \g /dev/null
select o.id as first from public.email_outbox o where o.dedupe_key = 'payment_failed:in_1:J0' \gset
select o.id as second from public.email_outbox o where o.dedupe_key = 'payment_failed:in_1:J3' \gset
select ok(exists (select from public.email_explain(:first) e where e like 'It is superseded: a later step of its sequence (J%'), 'superseded: it says by which step');
select ok(exists (select from public.email_explain(:second) e where e like 'No later step of its sequence is due: the next (J%'), 'not superseded: it says which step is next');
delete from public.email_outbox where email_type = 'E-BILL-01';

-- Would this user get it? ------------------------------------------------------------------------------------------------------------
delete from public.projects;
select public.email_cancel(:row) \g /dev/null
delete from public.email_outbox;
delete from public.email_deliveries;
create function pg_temp.asked(code text) returns text language sql as $$ select string_agg(e, ' ') from public.email_explain((select u.id from public.users u), code) e $$;
select matches(pg_temp.asked('E-ACT-01'), '^E-ACT-01 was never sent to user .*\. None waits for them: a fact causes E-ACT-01, and none .* It is still true\. The recipient''s product slot is free\. Were it tried now, it would be sent\.$', 'yes, were it caused');
select matches(pg_temp.asked('E-RET-03'), 'None waits for them; a scan now would enqueue inactive_14d:\S+ for .* It is still true\. .*Were it tried now, it would be sent\.$', 'yes, with the next scan');
insert into public.email_signals (kind, user_id, occurred_at) values ('login', :'user', public.email_now() - interval '1 day');
select matches(pg_temp.asked('E-RET-03'), 'a scan now would not find them\..* active again since .*Were it tried now, it would be suppressed: active again since', 'no, they were here yesterday');
delete from public.email_signals where kind = 'login';
select matches(pg_temp.asked('E-ADV-01'), 'None waits for them, and a scan now would not find them\.', 'no, the scan does not find them');
insert into public.email_marketing_slots (recipient, category, last_at, outbox_id) values (:'user', 'marketing', public.email_now(), 77);
select matches(pg_temp.asked('E-RET-03'), 'It does not get the recipient''s marketing slot before .*Were it tried now, it would wait\.$', 'not before the slot is free');
update public.email_preferences set marketing_opt_in = false;
insert into public.email_preferences (user_id, marketing_opt_in) values (:'user', false) on conflict do nothing;
select matches(pg_temp.asked('E-RET-03'), 'has opted out of marketing\..*Were it tried now, it would be suppressed: opted out of marketing\.$', 'no, they opted out');
update public.email_types set enabled = false where code = 'E-RET-03';
select matches(pg_temp.asked('E-RET-03'), 'E-RET-03 is disabled: nothing is enqueued\.', 'no, it is disabled');
select public.email_enqueue('E-BILL-02', :'user', 'paid', '{"amount": 1200, "currency": "EUR"}', public.email_now() + interval '1 hour') as paid \gset
select matches(pg_temp.asked('E-BILL-02'), '^E-BILL-02 was never sent.* Row ' || :paid || ' is E-BILL-02 .* So it waits until .*, the moment it is due\.$', 'the one that waits is the answer');
update public.email_outbox set run_at = public.email_now();
select is(fixture.send_due(), 1, 'it goes');
select matches(pg_temp.asked('E-BILL-02'), '^The last E-BILL-02 of user \S+, paid, was sent at ', 'the last one is named');
select throws_ok($$ select public.email_explain(gen_random_uuid(), 'E-NOP-99') $$, 'unknown email type "E-NOP-99"', 'an unknown code is an error');
select matches((select string_agg(e, ' ') from public.email_explain(gen_random_uuid(), 'E-SEC-02') e), 'There is no user .*suppressed: no such user\.$', 'an unknown user is answered');
select is((select count(*) from public.email_outbox o where o.id < 0), 0::bigint, 'nothing made up is left behind');

select * from finish();
rollback;
