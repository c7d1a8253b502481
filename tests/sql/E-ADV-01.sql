-- E-ADV-01: the NPS survey after 30 days, 180, then yearly, of 30 active days and more than 20 deployments.
begin;
\ir support/scans.sql
select plan(28);

select pg_temp.at('2026-03-20 06:40Z');
create temp table people (name text, person uuid);
insert into people select n, pg_temp.person(replace(n, ' ', '_') || '@example.com', '2026-01-01 10:00Z')
from unnest(array['reached', 'a day short', 'a deployment short', 'stopped', 'signals', 'two projects']) n;
insert into people values ('closed account', pg_temp.person('c@example.com', '2026-01-01 10:00Z', null, false)), ('young', pg_temp.person('y@example.com', '2026-03-10Z'));
create function pg_temp.who(called text) returns uuid language sql as $$ select person from people where name = called $$;
create temp table what as
select pg_temp.project(pg_temp.who('reached'), 'A', '2026-01-01 11:00Z') as a, pg_temp.project(pg_temp.who('a day short'), 'B', '2026-01-01 11:00Z') as b,
    pg_temp.project(pg_temp.who('a deployment short'), 'C', '2026-01-01 11:00Z') as c, pg_temp.project(pg_temp.who('stopped'), 'D', '2026-01-01 11:00Z') as d,
    pg_temp.project(pg_temp.who('signals'), 'E', '2026-01-01 11:00Z') as e, pg_temp.project(pg_temp.who('two projects'), 'F', '2026-01-01 11:00Z') as f,
    pg_temp.project(pg_temp.who('two projects'), 'G', '2026-01-01 11:00Z') as g, pg_temp.project(pg_temp.who('closed account'), 'H', '2026-01-01 11:00Z') as h,
    pg_temp.project(pg_temp.who('young'), 'I', '2026-03-10Z') as i;
-- 1 January counts as a day too: 29 others make 30.
select
    pg_temp.deploy(a, 29, '2026-02-19 09:00Z', '2026-03-20 09:00Z'), -- the last one at 09:00 on the 19th
    pg_temp.deploy(b, 28, '2026-02-20 09:00Z', '2026-03-20 09:00Z'), pg_temp.deploy(b, 9, '2026-03-19 10:00Z', '2026-03-19 11:00Z'),
    pg_temp.deploy(d, 40, '2026-01-30 09:00Z', '2026-03-11 09:00Z'),
    pg_temp.deploy(e, 21, '2026-03-01 09:00Z', '2026-03-01 10:00Z'),
    pg_temp.deploy(f, 15, '2026-02-04 09:00Z', '2026-02-19 09:00Z'), pg_temp.deploy(g, 16, '2026-03-04 09:00Z', '2026-03-20 09:00Z'),
    pg_temp.deploy(h, 40, '2026-01-30 09:00Z', '2026-03-11 09:00Z'),
    pg_temp.deploy(i, 60, '2026-03-10 09:00Z', '2026-03-20 06:00Z'),
    pg_temp.deploy(c, 20, '2026-02-19 09:00Z', '2026-03-11 09:00Z')
from what;
insert into email_signals (kind, user_id, occurred_at)
select 'login', pg_temp.who('signals'), d from generate_series(timestamptz '2026-02-20 09:00Z', '2026-03-05 09:00Z', interval '1 day') d
union all select 'verdict_viewed', pg_temp.who('signals'), d from generate_series(timestamptz '2026-03-05 09:00Z', '2026-03-19 09:00Z', interval '1 day') d
union all select 'login', pg_temp.who('a deployment short'), d from generate_series(timestamptz '2026-02-01 09:00Z', '2026-03-19 09:00Z', interval '1 day') d;

create function pg_temp.asked(called text) returns text language sql
as $$ select split_part(a.dedupe_key, ':', 3) from email_audience('E-ADV-01') a where a.user_id = pg_temp.who(called) $$;

-- Cause ----------------------------------------------------------------------------------------------------------------------
select results_eq(
    $$ select p.name from email_audience('E-ADV-01') a join people p on p.person = a.user_id order by 1 $$,
    $$ values ('reached'), ('two projects') $$,
    '30 different active days, more than 20 deployments over all own projects, and active in the last week'
);
select is(email_scan('E-ADV-01'), 2, 'the scan enqueues a letter to each of the audience');
select is(email_scan('E-ADV-01'), 0, 'a second scan enqueues nothing');
select results_eq(
    $$ select user_id, project_id, to_email, dedupe_key, run_at, payload from email_outbox where user_id = pg_temp.who('reached') and email_type = 'E-ADV-01' $$,
    $$ select pg_temp.who('reached'), null::uuid, null::text, format('nps_survey:%s:30d', pg_temp.who('reached')), timestamptz '2026-03-20 06:40Z', '{}'::jsonb $$,
    'now, with the catalogue''s key'
);
savepoint s;
insert into email_signals (kind, user_id, occurred_at) values ('login', pg_temp.who('signals'), '2026-03-20 00:00Z');
select is(email_scan('E-ADV-01'), 1, 'logins and viewed verdicts make days as well');
rollback to s;
select pg_temp.deploy(c, 1, '2026-03-19 11:00Z', '2026-03-19 12:00Z', 'pending') from what;
select is(email_scan('E-ADV-01'), 1, 'one deployment more is more than 20');
rollback to s;
insert into email_signals (kind, user_id, occurred_at) values ('login', pg_temp.who('stopped'), '2026-03-20 00:00Z');
select is(email_scan('E-ADV-01'), 1, 'who stopped is asked when they use it again');
rollback to s;
update email_types set params = params || '{"active_days": 29}' where code = 'E-ADV-01';
select ok(exists(select from email_audience('E-ADV-01') a where a.user_id = pg_temp.who('a day short')), 'a DBA tunes the days');
select ok(not exists(select from email_audience('E-ADV-01') a where a.user_id = pg_temp.who('reached')), 'and that asks nobody twice');
update email_types set params = params || '{"active_days": 29, "min_deployments": 19}' where code = 'E-ADV-01';
select ok(exists(select from email_audience('E-ADV-01') a where a.user_id = pg_temp.who('a deployment short')), 'and the deployments');
rollback to s;

-- The past: whoever passed the milestone before active_since is asked too, within the four weeks after it ---------------------
delete from email_outbox;
-- His turn, by the hash alone.
select ('x' || substr(md5('E-ADV-01 ' || pg_temp.who('reached')), 1, 8))::bit(32)::bigint / 4294967296.0 * interval '28 days' as turn \gset
update email_types set active_since = '2026-03-19 09:00Z' where code = 'E-ADV-01';
select is(pg_temp.asked('reached'), '30d', 'the 30th day began at active_since: asked at once');
update email_types set active_since = '2026-03-19 09:00:00.000001Z' where code = 'E-ADV-01';
select pg_temp.deploy(a, 400, '2026-03-20Z', '2026-04-20Z') from what;
select pg_temp.at(timestamptz '2026-03-19 09:00:00.000001Z' + interval :'turn' - interval '1 second');
select is(pg_temp.asked('reached'), null, 'or before it: not before his turn');
select pg_temp.at(timestamptz '2026-03-19 09:00:00.000001Z' + interval :'turn' + interval '1 second');
select is(pg_temp.asked('reached'), '30d', 'but then');
select pg_temp.at('2026-03-25Z');
-- Days long since, but the 21st deployment only today.
update email_types set params = params || '{"min_deployments": 58}', active_since = '2026-03-20Z' where code = 'E-ADV-01';
select is(pg_temp.asked('reached'), '30d', 'the milestone is the latest of the three: this one is not of the past');
rollback to s;
delete from email_outbox;
delete from people;
insert into people select 'engaged ' || n, pg_temp.person('engaged' || n || '@example.com', '2026-01-01 10:00Z') from generate_series(1, 40) n;
select pg_temp.deploy(pg_temp.project(p.person, p.name, '2026-01-01 11:00Z'), 120, '2026-01-02 09:00Z', '2026-05-01 09:00Z') from people p;
update email_types set active_since = '2026-03-19Z' where code = 'E-ADV-01';
create temp table asked_on (day date, people bigint);
do $$ begin
    for n in 0 .. 29 loop
        perform pg_temp.at(timestamptz '2026-03-19Z' + n * interval '1 day');
        perform public.email_scan('E-ADV-01');
        insert into asked_on select (public.email_now())::date, count(*)
        from email_outbox o join people p on p.person = o.user_id where o.email_type = 'E-ADV-01' and o.created_at = public.email_now();
    end loop;
end $$;
select results_eq($$ select sum(people), max(day) <= date '2026-04-16' from asked_on where people > 0 $$, 'select 40::numeric, true', 'all 40 are asked within four weeks');
select cmp_ok((select count(*) from asked_on where people > 0), '>', 12::bigint, 'on many days');
select cmp_ok((select max(people) from asked_on), '<', 12::bigint, 'few on each');
rollback to s;

-- Further milestones --------------------------------------------------------------------------------------------------------------
-- One project a day for two years; the survey is answered by nobody and goes out whenever it is found.
delete from email_outbox;
select pg_temp.at('2026-03-19Z');
select pg_temp.deploy(a, 800, '2026-03-20 08:00Z', '2028-05-28 08:00Z') from what;
create temp table surveys (at date, milestone text, days integer);
do $$
declare
    key text;
begin
    for n in 0 .. 780 loop
        perform pg_temp.at(timestamptz '2026-03-20 08:00Z' + n * interval '1 day');
        for key in select a.dedupe_key from public.email_audience('E-ADV-01') a where a.user_id = pg_temp.who('reached') loop
            insert into surveys values (public.email_now()::date, split_part(key, ':', 3), public.email_now()::date - date '2026-01-01' + 1);
            insert into public.email_deliveries (user_id, email_type, dedupe_key, status, sent_at) values (pg_temp.who('reached'), 'E-ADV-01', key, 'sent', public.email_now());
        end loop;
    end loop;
end $$;
select results_eq('select milestone, days from surveys order by at', $$ values ('30d', 79), ('180d', 229), ('365d', 379), ('730d', 730) $$,
    '30 active days were full late (day 79); 180 and 365 fall within 150 days of the survey before and wait for the 150th; then yearly');
rollback to s;
delete from email_outbox;
select pg_temp.deploy(a, 800, '2026-03-20 08:00Z', '2028-05-28 08:00Z') from what;
select pg_temp.at('2027-12-30 09:00Z');
select is(pg_temp.asked('reached'), '365d', 'only the latest that is passed is asked about');
update email_types set params = jsonb_set(params, '{milestones}', '{"days": [30, 180, 500], "then_every": 700}') where code = 'E-ADV-01';
select is(pg_temp.asked('reached'), '700d', 'a DBA sets others');
update email_types set params = jsonb_set(params, '{milestones}', '{"days": [30, 180]}') where code = 'E-ADV-01';
select is(pg_temp.asked('reached'), '180d', 'or none that comes again');
rollback to s;
select pg_temp.sent_and_gone(format('nps_survey:%s:30d', pg_temp.who('reached')));
select is(email_scan('E-ADV-01'), 0, 'what the journal remembers is not written again');
rollback to s;

-- Figures, and always true ------------------------------------------------------------------------------------------------------
update deployments set state = 'running' where project_id = (select a from what) and deployment_number = 29;
update deployments set state = 'finished' where project_id = (select a from what) and deployment_number = 28;
select is(
    (select g.verdict || ' ' || g.recipient || ' ' || (g.context - array['cta_path', 'first_name', 'time_zone'])::text from pg_temp.gate(format('nps_survey:%s:30d', pg_temp.who('reached'))) g),
    'send reached@example.com {"active_days": 77, "deployments": 28}',
    'finished deployments, and days since the first activity'
);
select pg_temp.at('2026-04-03 08:00Z');
update deployments set started_at = '2026-03-20 08:00:00.000001Z' where project_id = (select a from what) and deployment_number = 29;
update email_types set expires_after = '30 days' where code = 'E-ADV-01';
select is((select g.verdict from pg_temp.gate(format('nps_survey:%s:30d', pg_temp.who('reached'))) g), 'send', 'it stays true for 14 days after the last activity');
delete from deployments where project_id = (select a from what) and deployment_number = 29;
select is((select g.verdict || ' ' || g.reason from pg_temp.gate(format('nps_survey:%s:30d', pg_temp.who('reached'))) g), 'suppress not active since 2026-03-18', 'and no longer');
rollback to s;

-- The borders of the week that makes somebody engaged ---------------------------------------------------------------------------
delete from email_outbox;
select pg_temp.at('2026-03-26 09:00Z');
select ok(exists(select from email_audience('E-ADV-01') a where a.user_id = pg_temp.who('reached')), 'after an outage: who was active seven days ago is asked');
select pg_temp.at('2026-03-26 09:00:00.000001Z');
select ok(not exists(select from email_audience('E-ADV-01') a where a.user_id = pg_temp.who('reached')), 'and who was not is left alone until they come back');
select is(pg_temp.letters('E-ADV-01'), 0::bigint, 'looking enqueued nothing');

select * from finish();
rollback;
