-- The gates in their order (docs/rules.md#one-reason-each), each by a real row through the real claim: a row that every gate applies to,
-- from which they are taken away one by one.
begin;
\ir support/fixtures.sql
select plan(42);
-- Only what is enqueued here, and disabling must not get there before the claim does.
update public.email_types set active_since = '-infinity', enabled = code in ('E-RET-04', 'E-SEC-02', 'E-ADV-02', 'E-ACT-01', 'E-BILL-02', 'E-RET-01');
alter table public.email_types disable trigger email_types_applied;
-- Another gate's words would be as good: what counts is that they are this one's.
create function pg_temp.judged(key text) returns text
language plpgsql
as $$
declare
    said text;
begin
    begin
        perform count(*) from public.email_claim('fixture', 'console', 100, interval '1 minute');
        select o.status || coalesce(': ' || o.reason, '') || coalesce(', ' || o.last_error, '') into said from public.email_outbox o where o.dedupe_key = key;
        raise exception using errcode = 'ZZ001';
    exception when sqlstate 'ZZ001' then
        return said;
    end;
end
$$;

-- Everything at once -----------------------------------------------------------------------------------------------------------
\set user '''44444444-0000-0000-0000-000000000001'''
\set key '''inactive_30d:44444444-0000-0000-0000-000000000001:2026-01-01:J30'''
select public.email_enqueue('E-RET-04', :user, :key, run_at => public.email_now() - interval '6 days', to_email => 'Gone@example.com') as row \gset
select public.email_enqueue('E-RET-04', :user, replace(:key, 'J30', 'J37'), run_at => public.email_now() - interval '1 hour', to_email => 'gone@example.com') as later \gset
update public.email_types set paused_at = now(), enabled = false, holdout_percent = 100 where code = 'E-RET-04';
insert into public.email_forgotten (user_id) values (:user);
insert into public.email_suppressions (email, reason) values ('GONE@example.com', 'complained');
insert into public.email_preferences (user_id, marketing_opt_in) values (:user, false);
insert into public.email_marketing_slots (recipient, category, last_at, outbox_id) values (:user, 'marketing', public.email_now() - interval '1 hour', 0);

select is(pg_temp.judged(:key), 'queued: type paused', '1: a paused type waits');
select is((select o.run_at from public.email_outbox o where o.id = :row), public.email_now() - interval '6 days', 'what was judged is undone');
update public.email_types set paused_at = null where code = 'E-RET-04';
select is(pg_temp.judged(:key), 'suppressed: superseded', '2: a later step is due');
update public.email_outbox set run_at = public.email_now() + interval '1 day', due_at = public.email_now() + interval '1 day' where id = :later;
select is(pg_temp.judged(:key), 'suppressed: expired', '3: it expired');
update public.email_outbox set due_at = public.email_now() - interval '1 day' where id = :row;
select is(pg_temp.judged(:key), 'suppressed: type disabled', '4: the type is disabled');
update public.email_types set enabled = true where code = 'E-RET-04';
select is(pg_temp.judged(:key), 'suppressed: forgotten', '5: the user was forgotten');
delete from public.email_forgotten;
select is(pg_temp.judged(:key), 'suppressed: no such user', '6: there is no such user');
insert into public.users (id, name, email, hashed_password, is_active, created_at) values (:user, 'Gaëlle', 'gone@example.com', 'x', false, timestamptz '2026-01-01 12:00Z');
select is(pg_temp.judged(:key), 'suppressed: address suppressed: complained', '7: the address is suppressed');
delete from public.email_suppressions;
select is(pg_temp.judged(:key), 'suppressed: user not active', '8: the account is not active');
update public.users set is_active = true where id = :user;
delete from public.email_outbox o where o.email_type = 'E-TRX-01';
select is(pg_temp.judged(:key), 'suppressed: opted out of marketing', '9: the user opted out');
update public.email_preferences set marketing_opt_in = true;
select is(pg_temp.judged(:key), 'suppressed: holdout', '10: the user is held out');
update public.email_types set holdout_percent = 0 where code = 'E-RET-04';
select fixture.project(:user) as project \gset
select matches(pg_temp.judged(:key), '^suppressed: active again since ', '11: it is no longer true');
delete from public.projects where id = :'project';
select matches(pg_temp.judged(:key), '^queued: cap: one capped marketing email in 24:00:00', '12: the slot is taken');
delete from public.email_marketing_slots;
select is(pg_temp.judged(:key), 'sending', 'and then it goes');
select is((select count(*) from public.email_deliveries), 0::bigint, 'each verdict was undone');

-- The journal tells the same reason.
insert into public.email_suppressions (email, reason) values ('gone@example.com', 'complained');
select is(fixture.send_due(), 0, 'nothing goes to a suppressed address');
select is((select d.payload_json ->> 'reason' from public.email_deliveries d where d.dedupe_key = :key), 'address suppressed: complained', 'for the same reason in the journal');
delete from public.email_outbox;
delete from public.email_deliveries;

-- Who is stopped by which suppression ------------------------------------------------------------------------------------------
create function pg_temp.verdict(code text, recipient uuid, to_email text default null) returns text
language plpgsql
as $$
declare
    key text := code || clock_timestamp()::text;
    said text;
begin
    perform public.email_enqueue(code, recipient, key, '{"feature": "sdh", "amount": 1200, "currency": "EUR", "ip": "203.0.113.1", "country": "FR", "device": "x", "week_start": "2026-01-05"}', to_email => to_email);
    said := fixture.gate_of(key);
    delete from public.email_outbox o where o.dedupe_key = key;
    return said;
end
$$;
create function fixture.suppress(address text, why text) returns void
language sql
as $$
delete from public.email_suppressions;
insert into public.email_suppressions (email, reason) values (address, why);
$$;
create temp table suppressing (reason text, category text, verdict text);
do $$
declare
    r text;
    c record;
begin
    foreach r in array array['bounced', 'complained', 'manual', 'unsubscribed'] loop
        perform fixture.suppress('GONE@EXAMPLE.com', r);
        for c in select * from (values ('security', 'E-SEC-02'), ('transactional', 'E-BILL-02'), ('product', 'E-ACT-01'), ('marketing', 'E-ADV-02')) x (category, code) loop
            insert into suppressing values (r, c.category, pg_temp.verdict(c.code, '44444444-0000-0000-0000-000000000001'));
        end loop;
    end loop;
    delete from public.email_suppressions;
end
$$;
select results_eq('select reason, category from suppressing where verdict = ''send'' order by 1, 2', $$values
    ('bounced', 'security'), ('complained', 'security'), ('complained', 'transactional'),
    ('manual', 'security'), ('unsubscribed', 'security'), ('unsubscribed', 'transactional')$$,
    'bounced and manual stop all but security; complained and unsubscribed stop product and marketing');
select is((select count(*) from suppressing where verdict like 'suppress: address suppressed: %'), 10::bigint, 'the others are stopped, and told why');

-- Who is stopped by which preference ---------------------------------------------------------------------------------------------
update public.email_preferences set product_updates_opt_in = false, marketing_opt_in = true;
select is(array[pg_temp.verdict('E-ACT-01', :user), pg_temp.verdict('E-ADV-02', :user), pg_temp.verdict('E-BILL-02', :user), pg_temp.verdict('E-SEC-02', :user)],
    array['suppress: opted out of product updates', 'send', 'send', 'send'], 'product updates');
update public.email_preferences set product_updates_opt_in = true, marketing_opt_in = false;
select is(array[pg_temp.verdict('E-ACT-01', :user), pg_temp.verdict('E-ADV-02', :user), pg_temp.verdict('E-BILL-02', :user), pg_temp.verdict('E-SEC-02', :user)],
    array['send', 'suppress: opted out of marketing', 'send', 'send'], 'marketing');
update public.users set is_active = false where id = :user;
select is(array[pg_temp.verdict('E-ACT-01', :user), pg_temp.verdict('E-ADV-02', :user), pg_temp.verdict('E-BILL-02', :user), pg_temp.verdict('E-SEC-02', :user)],
    array['suppress: user not active', 'suppress: user not active', 'send', 'send'], 'an account that is not active');
update public.users set is_active = true where id = :user;
delete from public.email_outbox;

-- A copy goes by its own recipient ---------------------------------------------------------------------------------------------------
select fixture.account('colleague') as colleague \gset
select fixture.project(:user) as project \gset
insert into public.email_project_contacts (project_id, email, role, user_id) values
(:'project', 'Guest@elsewhere.example', 'admin', null), (:'project', 'work@elsewhere.example', 'admin', :'colleague');
delete from public.email_outbox;
select is(pg_temp.verdict('E-ADV-02', :user, 'guest@elsewhere.example'), 'send', 'the owner''s opt-out is not the guest''s');
select is(pg_temp.verdict('E-ADV-02', :user, 'colleague@example.com'), 'send', 'nor a colleague''s');
update public.email_preferences set marketing_opt_in = true;
insert into public.email_preferences (user_id, marketing_opt_in, tracking_consent) values (:'colleague', false, true);
select is(pg_temp.verdict('E-ADV-02', :user, 'colleague@example.com'), 'suppress: opted out of marketing', 'but the colleague''s own is');
select public.email_enqueue('E-ADV-02', :'colleague', 'copy', to_email => 'work@elsewhere.example', project_id => :'project') as copy \gset
select is(fixture.gate_of('copy'), 'suppress: opted out of marketing', 'also at another address of theirs');
update public.email_preferences set marketing_opt_in = true;
select public.email_enqueue('E-ADV-02', :user, 'guest', to_email => 'GUEST@elsewhere.example', project_id => :'project') as guest \gset
select results_eq(
    format('select g.id, g.person, g.slot, g.token = c.unsubscribe_token, g.tracking, g.context ->> ''first_name'' from public.email_gates(array[%1$s, %2$s]) g
        left join public.email_project_contacts c on c.user_id is null order by g.id', :copy, :guest),
    format($$values (%s::bigint, %L::uuid, %2$L, false, true, 'Colleague'), (%3$s, null, 'guest@elsewhere.example', true, false, null)$$, :copy, :'colleague', :guest),
    'account, key in the cap, links, tracking and name are the recipient''s');
insert into public.email_forgotten (user_id) values (:'colleague');
select is(pg_temp.verdict('E-SEC-02', :user, 'colleague@example.com'), 'suppress: forgotten', 'nothing goes to somebody who was forgotten, security included');
delete from public.email_outbox;

-- Holdout ----------------------------------------------------------------------------------------------------------------------------
select cmp_ok((select abs(count(*) - 2000) from generate_series(1, 10000) n where public.email_held_out(md5(n::text), 'E-ADV-02', 20)), '<', 200::bigint, 'a fifth is about a fifth');
select is((select count(*) from generate_series(1, 1000) n where public.email_held_out(md5(n::text), 'E-ADV-02', 20) and not public.email_held_out(md5(n::text), 'E-ADV-02', 30)),
    0::bigint, 'who is held out stays so when the share grows');
select isnt((select array_agg(n) from generate_series(1, 1000) n where public.email_held_out(md5(n::text), 'E-ADV-02', 20)),
    (select array_agg(n) from generate_series(1, 1000) n where public.email_held_out(md5(n::text), 'E-ADV-01', 20)), 'other people for another code');
select is(array[public.email_held_out('x', 'E-ADV-02', 0), public.email_held_out('x', 'E-ADV-02', 100)], array[false, true], 'nobody and everybody');
select is(public.email_held_out('44444444-0000-0000-0000-000000000001', 'E-ADV-02', 50), true, 'the same on every machine and version');
update public.email_types set holdout_percent = 50 where code = 'E-ADV-02';
select is(pg_temp.verdict('E-ADV-02', :user), 'suppress: holdout', 'so this one is held out of half');
update public.email_types set holdout_percent = 0 where code = 'E-ADV-02';

-- Tokens are made once, without a write per letter ------------------------------------------------------------------------------------
select fixture.account('reader') as reader \gset
delete from public.email_outbox;
select public.email_enqueue('E-ADV-02', :'reader', 'first letter') \g /dev/null
select public.email_enqueue('E-SEC-02', :'reader', 'security', '{"ip": "203.0.113.1", "country": "FR", "device": "x"}') \g /dev/null
create temp table claimed as select c.dedupe_key, c.unsubscribe_token from public.email_claim('fixture', 'console', 100, interval '1 minute') c;
select is((select c.unsubscribe_token from claimed c where c.dedupe_key = 'first letter'), (select p.unsubscribe_token from public.email_preferences p where p.user_id = :'reader'),
    'the first letter with a link makes the token');
select is((select c.unsubscribe_token from claimed c where c.dedupe_key = 'security'), null, 'security mail has none');

-- A general pause, and one type's ----------------------------------------------------------------------------------------------------------
select public.email_enqueue('E-BILL-02', :'reader', 'paid', '{"amount": 1200, "currency": "EUR"}') as paid \gset
select public.email_pause(null, 'migration');
select is((select count(*) from public.email_claim('fixture', 'console', 100, interval '1 minute')), 0::bigint, 'a general pause stops the claim');
select is((select o.status || coalesce(o.reason, '') from public.email_outbox o where o.id = :paid), 'queued', 'before it touches a row');
select public.email_resume();
alter table public.email_types enable trigger email_types_applied;
select public.email_pause('E-BILL-02', 'wording');
select is(fixture.send_due(), 0, 'a paused type waits');
select is((select o.run_at::text || o.reason from public.email_outbox o where o.id = :paid), 'infinitytype paused', 'without being looked at again');
select public.email_resume('E-BILL-02');
select is((select o.run_at = o.due_at and o.reason is null from public.email_outbox o where o.id = :paid), true, 'until it is resumed');
select is(fixture.send_due(), 1, 'then it goes');

select * from finish();
rollback;
