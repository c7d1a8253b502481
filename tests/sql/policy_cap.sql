-- The cap (docs/rules.md#cap) in one session: whose slot it is, who goes first, who waits until when, and what gives it back.
begin;
\ir support/fixtures.sql
select plan(70);
update public.email_types set active_since = '-infinity', enabled = code in ('E-ACT-01', 'E-CONV-04', 'E-ADV-01', 'E-ADV-02');

-- The heaviest of one category: here all four are marketing.
update public.email_types set category = 'marketing' where code = 'E-ACT-01';

-- One capped row of a code that stays true, due at once; for a copy, to an address.
create function pg_temp.capped(code text, user_id uuid, due interval default '0', to_email text default null) returns bigint
language sql
as $$
select public.email_enqueue(code, user_id, case code
    when 'E-CONV-04' then format('pro_feature:%s:sdh:2026-01', user_id)
    when 'E-ADV-01' then format('nps_survey:%s:30d', user_id)
    when 'E-ADV-02' then format('review_request:%s', user_id)
    when 'E-ACT-01' then format('no_project_after_signup:%s', user_id)
    end || coalesce(':' || to_email, ''),
    '{"feature": "sdh"}', public.email_now() + due, null, to_email)
$$;
create function pg_temp.about(row_id bigint) returns text
language sql
as $$
select case
    when o.status = 'queued' then 'queued +' || (o.run_at - public.email_now())::text
    else o.status || coalesce(': ' || o.reason, '') end
from public.email_outbox o where o.id = row_id
$$;
create function pg_temp.reason(row_id bigint) returns text
language sql
as $$ select o.reason from public.email_outbox o where o.id = row_id $$;
-- Claims; answers the batch's members in their order.
create function pg_temp.claim(batch_size integer default 100) returns bigint[]
language sql
as $$ select array_agg(c.id) from public.email_claim('fixture', 'console', batch_size, interval '1 minute') c $$;
create function pg_temp.settle(ids bigint[], outcome text) returns integer
language sql
as $$
select public.email_settle('fixture', (select o.batch_id from public.email_outbox o where o.id = ids[1]), ids, array_fill(outcome, array[cardinality(ids)]),
    ids::text[], array_fill(case when outcome <> 'sent' then 'no' end, array[cardinality(ids)]), array_fill('subject'::text, array[cardinality(ids)]),
    array_fill(null::double precision, array[cardinality(ids)]))
$$;
create function pg_temp.holder(slot text) returns bigint
language sql
as $$ select s.outbox_id from public.email_marketing_slots s where s.recipient = slot $$;
-- A person nobody has written to yet.
create function pg_temp.person(name text) returns uuid
language plpgsql
as $$
declare
    person uuid := fixture.account(name);
begin
    delete from public.email_outbox o where o.user_id = person;
    return person;
end
$$;

-- The heaviest goes, the others wait -----------------------------------------------------------------------------------------
select pg_temp.person('nassir') as nassir \gset
select pg_temp.capped('E-ADV-01', :'nassir') as survey, pg_temp.capped('E-CONV-04', :'nassir') as feature, pg_temp.capped('E-ADV-02', :'nassir') as review,
    pg_temp.capped('E-ACT-01', :'nassir') as project \gset
select is(pg_temp.claim(), array[:project::bigint], 'of four letters that are due the heaviest goes');
select is(pg_temp.holder(:'nassir'), :project::bigint, 'the letter that goes holds the slot of its user');
select is((select s.last_at from public.email_marketing_slots s where s.recipient = :'nassir'), public.email_now(), 'a slot is taken from the moment of the claim');
select is(array[pg_temp.about(:feature), pg_temp.about(:review), pg_temp.about(:survey)], array['queued +1 day', 'queued +1 day', 'queued +1 day'],
    'letters that do not get the slot wait until slot + cooldown');
select matches(pg_temp.reason(:feature), '^cap: one capped marketing email in 24:00:00, the slot is free at .*Z \(outbox \d+ has it, E-ACT-01\)$', 'a letter that waits for the slot names the cap, when the slot is free and which row has it');
select is((select o.due_at from public.email_outbox o where o.id = :feature), public.email_now(), 'the expiry of a letter that waits for the slot counts from when it was due');
select is((select count(*) from public.email_deliveries d where d.outbox_id in (:feature, :review, :survey)), 0::bigint, 'what waits is not in the journal');
select is((select d.slot from public.email_deliveries d where d.outbox_id = :project), :'nassir', 'the journal knows which slot the letter took');

select fixture.move_clock('3 seconds');
select is(pg_temp.settle(array[:project], 'sent'), 1, 'the provider accepts the letter that has the slot');
select is((select s.last_at from public.email_marketing_slots s where s.recipient = :'nassir'), (select d.sent_at from public.email_deliveries d where d.outbox_id = :project),
    'the slot moves to when it was sent');

select fixture.move_clock('1 day 2 seconds');
select is(pg_temp.claim(), null, 'a second before the day is over nothing goes');
select is(pg_temp.about(:feature), 'queued +00:00:01', 'the next letter waits for the rest of the cooldown');
select fixture.move_clock('1 day 3 seconds');
select is(fixture.send_due(), 1, 'when the cooldown is over one letter goes');
select is(array[pg_temp.about(:feature), pg_temp.about(:review), pg_temp.about(:survey)], array['sent', 'queued +1 day', 'queued +1 day'], 'of the letters that waited the one with the highest priority goes');
select fixture.move_clock('2 days 3 seconds');
select is(fixture.send_due(), 1, 'another letter goes one cooldown later');
select is(pg_temp.about(:review), 'sent', 'the letter that goes then is the next by priority');
select is_empty('select * from public.email_cap_violations', 'email_cap_violations shows nothing after letters that waited for each other');

-- Expired while it waited: the survey is good for 7 days.
update public.email_marketing_slots s set last_at = public.email_now() + interval '6 days' where s.recipient = :'nassir';
update public.email_outbox o set run_at = public.email_now() where o.id = :survey;
select is(pg_temp.claim(), null, 'a letter does not go while its slot is taken anew');
select fixture.move_clock('9 days 3 seconds');
select is(pg_temp.claim(), null, 'a letter whose slot is never free does not go by waiting');
select is(pg_temp.about(:survey), 'suppressed: expired', 'a letter that waits for the slot longer than it lives is suppressed as expired');
select fixture.move_clock('0');

-- Untrue while it waited.
select pg_temp.person('nadia') as nadia \gset
select pg_temp.capped('E-ACT-01', :'nadia') as project, pg_temp.capped('E-CONV-04', :'nadia') as feature \gset
select is(fixture.send_due(), 1, 'of two capped letters one goes');
select fixture.project(:'nadia', 'Paid', 'pro') \g /dev/null
select fixture.move_clock('1 day');
select is(fixture.send_due(), 0, 'a letter whose reason went away while it waited for the slot does not go');
select matches(pg_temp.about(:feature), '^suppressed: .*[Pp]ro', 'a letter that became untrue while it waited is suppressed with that reason');
select fixture.move_clock('0');

-- Whose slot: a user's whatever the address says, a contact's own ------------------------------------------------------------------
select pg_temp.person('owner') as owner, pg_temp.person('colleague') as colleague \gset
select pg_temp.capped('E-ADV-02', :'owner') as own, pg_temp.capped('E-ADV-01', :'owner', to_email => 'OWNER@example.com') as same,
    pg_temp.capped('E-ADV-02', :'owner', to_email => 'Guest@elsewhere.example') as guest, pg_temp.capped('E-ADV-01', :'owner', to_email => 'guest@ELSEWHERE.example') as guest_again,
    pg_temp.capped('E-ADV-02', :'owner', to_email => 'colleague@example.com') as copied, pg_temp.capped('E-ADV-01', :'colleague') as colleagues \gset
select is((select array_agg(c order by c) from unnest(pg_temp.claim()) c), array[:own, :guest, :copied]::bigint[], 'owner, guest and colleague get one each');
select is(array[pg_temp.holder(:'owner'), pg_temp.holder('guest@elsewhere.example'), pg_temp.holder(:'colleague')], array[:own, :guest, :copied]::bigint[],
    'slots are held by user, by lower-case address, and by the account behind an address');
select is(array[pg_temp.about(:same), pg_temp.about(:guest_again), pg_temp.about(:colleagues)], array['queued +1 day', 'queued +1 day', 'queued +1 day'], 'the second letter of each recipient waits');
select is(pg_temp.settle(array[:own, :guest, :copied], 'sent'), 3, 'the letters of three recipients go out at the same time');

-- A letter that is on its way to being sent --------------------------------------------------------------------------------------
select pg_temp.person('retry') as retry \gset
select pg_temp.capped('E-ADV-01', :'retry') as survey \gset
select is(pg_temp.claim(), array[:survey::bigint], 'a letter takes the slot of a recipient who has no other');
select is(pg_temp.settle(array[:survey], 'transient'), 1, 'the provider fails that letter for the moment');
select is(pg_temp.holder(:'retry'), :survey::bigint, 'a letter that is to be tried again keeps its slot');
select pg_temp.capped('E-ACT-01', :'retry') as project \gset
update public.email_outbox set retry_at = clock_timestamp() where id = :survey;
select is(pg_temp.claim(), array[:survey::bigint], 'the holder of the slot passes at its next try, also before a heavier letter that came since');
select is(pg_temp.about(:project), 'queued +1 day', 'a heavier letter waits for the slot of a letter that is being tried again');
select is(pg_temp.settle(array[:survey], 'unknown'), 1, 'the outcome of the letter that has the slot is unknown');
select is(pg_temp.holder(:'retry'), :survey::bigint, 'an unknown outcome keeps the slot');
select is(pg_temp.settle(array[:survey], 'lost'), 1, 'the outcome of the letter that has the slot is given up as unknown');
select is(pg_temp.holder(:'retry'), :survey::bigint, 'an outcome that was given up as unknown keeps the slot');

-- Given back -----------------------------------------------------------------------------------------------------------------------
select pg_temp.person('refused') as refused \gset
select pg_temp.capped('E-ACT-01', :'refused') as project, pg_temp.capped('E-ADV-01', :'refused') as survey, pg_temp.capped('E-ADV-02', :'refused') as review \gset
select is(pg_temp.claim(), array[:project::bigint], 'the heaviest of three letters takes the slot');
select is(pg_temp.settle(array[:project], 'permanent'), 1, 'the provider rejects that letter for good');
select is(pg_temp.holder(:'refused'), null, 'a letter that was rejected for good gives the slot back');
select is(array[pg_temp.about(:review), pg_temp.about(:survey)], array['queued +00:00:00', 'queued +00:00:00'], 'letters that waited for a slot that was given back are due again');
select is(pg_temp.claim(), array[:review::bigint], 'the heaviest of the letters that waited takes the slot that was given back');
select is(pg_temp.settle(array[:review], 'transient'), 1, 'the letter that took the slot next fails for the moment');
select is(public.email_suppress(array[:review::bigint], 'no longer wanted'), 1, 'a letter that has the slot is suppressed before its next try');
select is(pg_temp.claim(), array[:survey::bigint], 'the slot of a suppressed letter goes to the last one that waited');
select is(pg_temp.settle(array[:survey], 'sent'), 1, 'the last letter that waited is accepted');

-- Held by a row that ends at its next claim.
select pg_temp.person('moved') as moved \gset
select pg_temp.capped('E-ACT-01', :'moved') as project, pg_temp.capped('E-ADV-01', :'moved') as survey \gset
select is(pg_temp.settle(pg_temp.claim(), 'transient'), 1, 'the letter that has the slot is to be tried again');
select fixture.project(:'moved') \g /dev/null
update public.email_outbox set retry_at = clock_timestamp() where id = :project;
select is(fixture.send_due(), 1, 'one letter goes when the holder of the slot is no longer true');
select is(array[pg_temp.about(:project), pg_temp.about(:survey)], array['suppressed: owns a project', 'sent'], 'a holder that ends as untrue leaves its slot to the next letter');

-- Looking ahead -------------------------------------------------------------------------------------------------------------------------
select pg_temp.person('ahead') as ahead \gset
select pg_temp.capped('E-ADV-01', :'ahead') as survey, pg_temp.capped('E-ACT-01', :'ahead', '1 hour 59 minutes') as project, pg_temp.capped('E-ADV-02', :'ahead', '3 hours') as review \gset
select is(pg_temp.claim(), null, 'a lighter letter does not take the slot');
select is(array[pg_temp.about(:survey), pg_temp.reason(:survey)],
    array['queued +01:59:00', format('cap: E-ACT-01 (outbox %s) is heavier marketing mail, due at %s', :project, public.email_instant(public.email_now() + interval '1 hour 59 minutes'))],
    'a lighter letter waits for a heavier one that falls due within the look-ahead, and names it');
select fixture.project(:'ahead') \g /dev/null
update public.email_outbox set run_at = public.email_now() where id = :survey;
select is(pg_temp.claim(), array[:survey::bigint], 'a lighter letter takes the slot when the heavier one is no longer true');
select is(pg_temp.settle(array[:survey], 'sent'), 1, 'a lighter letter goes out when the heavier one is no longer true');

-- Two categories ------------------------------------------------------------------------------------------------------------------------
update public.email_types set category = 'product' where code = 'E-ACT-01';
create function pg_temp.holders(slot text) returns text[]
language sql
as $$ select array_agg(s.category || ' ' || s.outbox_id order by s.category) from public.email_marketing_slots s where s.recipient = slot $$;
select pg_temp.person('both') as both \gset
select pg_temp.capped('E-ACT-01', :'both') as project, pg_temp.capped('E-CONV-04', :'both') as feature, pg_temp.capped('E-ADV-01', :'both') as survey \gset
select is((select array_agg(c order by c) from unnest(pg_temp.claim()) c where c >= :project), array[:project, :feature]::bigint[], 'a product and a marketing letter that are due together both go, two of a category do not');
select is(pg_temp.holders(:'both'), array['marketing ' || :feature, 'product ' || :project], 'each category has a slot of its own');
select matches(pg_temp.reason(:survey), format('^cap: one capped marketing email in 24:00:00, the slot is free at .*Z \(outbox %s has it, E-CONV-04\)$', :feature),
    'a letter that waits names its category, and the letter of it that has the slot');
select results_eq(format('select d.email_type::text, d.slot_category from public.email_deliveries d where d.slot = %L order by 1', :'both'),
    $$ values ('E-ACT-01', 'product'), ('E-CONV-04', 'marketing') $$, 'the journal knows of which category the slot was');
select is(pg_temp.settle(array[:project, :feature], 'sent'), 2, 'the provider accepts both');
select fixture.move_clock('12 hours');
update public.email_outbox set run_at = public.email_now() where id = :survey;
select is(pg_temp.claim(), null, 'half a day later the second marketing letter still waits');
select fixture.move_clock('0');

-- Given back: only that of the letter.
select pg_temp.person('one of two') as part \gset
select pg_temp.capped('E-ACT-01', :'part') as project, pg_temp.capped('E-CONV-04', :'part') as feature, pg_temp.capped('E-ADV-01', :'part') as survey \gset
select is(array_length(pg_temp.claim(1), 1), 1, 'the product letter is claimed');
select is(pg_temp.claim(), array[:feature::bigint], 'and the marketing letter by another claim');
select is(pg_temp.settle(array[:project], 'permanent'), 1, 'the product letter is rejected for good');
select is(pg_temp.holders(:'part'), array['marketing ' || :feature], 'it gives its own slot back, not that of the other category');
select is(pg_temp.claim(), null, 'so the second marketing letter goes on waiting');

-- A heavier letter of the other category is nothing to wait for.
select pg_temp.person('apart') as apart \gset
select pg_temp.capped('E-ADV-01', :'apart') as survey, pg_temp.capped('E-ACT-01', :'apart', '1 hour') as project \gset
select is(pg_temp.claim(), array[:survey::bigint], 'looking ahead is within the category');

-- The proof, with the gate broken on purpose: slots vanish after each letter.
select pg_temp.person('broken') as broken \gset
create function pg_temp.without_gate(code text, key text) returns integer
language plpgsql
as $$
begin
    insert into public.email_outbox (email_type, user_id, dedupe_key, payload) values (code, (select u.id from public.users u where u.email = 'broken@example.com'), key, '{"feature": "sdh"}');
    delete from public.email_marketing_slots;
    return fixture.send_due();
end
$$;
select pg_temp.without_gate(c, 'broken ' || c || n) from unnest('{E-ACT-01,E-ADV-01}'::text[]) c, generate_series(1, 2) n \g /dev/null
-- What they are now does not change what they were.
update public.email_types set category = 'marketing' where code = 'E-ACT-01';
select results_eq(format('select category, earlier_type::text, later_type::text from public.email_cap_violations where user_id = %L order by 1', :'broken'),
    $$ values ('marketing', 'E-ADV-01', 'E-ADV-01'), ('product', 'E-ACT-01', 'E-ACT-01') $$, 'email_cap_violations names a broken cap of either category');
delete from public.email_deliveries where user_id = :'broken';

-- Seeding: the last cooldown of both, from an application's own sender.
select pg_temp.person('adopted') as adopted \gset
update public.email_types set category = 'product' where code = 'E-ACT-01';
insert into public.email_deliveries (user_id, email_type, dedupe_key, status, payload_json, sent_at, created_at)
select :'adopted', c, 'adopted ' || c, 'sent', '{}', public.email_now() - interval '1 hour', public.email_now() - interval '1 hour' from unnest('{E-ACT-01,E-ADV-01,E-ACT-04,E-CONV-03}'::text[]) c;
select public.email_slots_seed() \g /dev/null
select is(pg_temp.holders(:'adopted'), array['marketing 0', 'product 0'], 'adopting a journal takes the slots of both categories');
update public.email_types set category = 'marketing' where code = 'E-ACT-01';

-- Changing the rules ------------------------------------------------------------------------------------------------------------------
select pg_temp.person('rules') as rules \gset
select pg_temp.capped('E-ADV-02', :'rules') as review, pg_temp.capped('E-ADV-01', :'rules') as survey \gset
select is(fixture.send_due(), 1, 'with a cooldown of 24 hours one of two letters goes');
update public.email_settings set marketing_cooldown = '0';
select cmp_ok(fixture.send_due(), '>=', 1, 'without a cooldown the letter that waited goes');
select is(pg_temp.about(:survey), 'sent', 'without a cooldown no letter waits for the slot');
update public.email_settings set marketing_cooldown = '24 hours';
select is_empty('select * from public.email_cap_violations', 'letters sent without a cooldown do not violate the one that came after');

select * from finish();
rollback;
