-- E-RET-01: the weekly report, Monday 08:00 on the user's own clock.
begin;
\ir support/scans.sql
select plan(40);

create temp table people (name text, zone text, person uuid);
insert into people (name, zone) values
('paris', 'Europe/Paris'), ('new_york', 'America/New_York'), ('kolkata', 'Asia/Kolkata'), ('auckland', 'Pacific/Auckland'),
('sao_paulo', 'America/Sao_Paulo'), ('lord_howe', 'Australia/Lord_Howe'), ('apia', 'Pacific/Apia'), ('pago_pago', 'Pacific/Pago_Pago'),
('santiago', 'America/Santiago'), ('cairo', 'Africa/Cairo'), ('kathmandu', 'Asia/Kathmandu'), ('chatham', 'Pacific/Chatham'),
('nowhere', 'Mars/Olympus'), ('nobody', null);
update people set person = pg_temp.person(name || '@example.com', '2025-01-01Z', zone);

-- A quarter of Mondays: the scan runs every hour of ten weeks, everybody views a verdict every day at noon by UTC.
create function pg_temp.run(since timestamptz, until timestamptz) returns void language plpgsql
as $$
declare
    late bigint;
begin
    for hour in 0 .. extract(epoch from until - since)::integer / 3600 loop
        perform pg_temp.at(since + hour * interval '1 hour');
        if extract(hour from email_now()) = 12 then
            insert into email_signals (kind, user_id, occurred_at) select 'verdict_viewed', p.person, email_now() from people p;
        end if;
        perform email_scan('E-RET-01');
        select count(*) into late from email_outbox o where o.email_type = 'E-RET-01' and o.created_at > o.run_at;
        if late > 0 then
            raise exception '% letters were enqueued after they were due', late;
        end if;
    end loop;
end
$$;
update email_types set active_since = '2026-03-01Z' where code = 'E-RET-01';
insert into email_signals (kind, user_id, occurred_at)
select 'verdict_viewed', p.person, d from people p, generate_series(timestamptz '2026-02-16 12:00Z', '2026-03-01 12:00Z', interval '1 day') d;
select lives_ok($$ select pg_temp.run('2026-03-01 00:00Z', '2026-04-14 12:00Z') $$, 'in spring every letter is in the queue before it is due');
select is((select count(*) from email_outbox where email_type = 'E-RET-01'), 14 * 7::bigint, 'one letter for each of 14 people on each of 7 Mondays');
select is_empty(
    $$ select p.name, o.run_at at time zone p.zone from email_outbox o join people p on p.person = o.user_id
       where o.email_type = 'E-RET-01' and p.zone <> 'Mars/Olympus'
       and to_char(o.run_at at time zone case p.zone when 'Mars/Olympus' then 'UTC' else p.zone end, 'ID HH24:MI:SS.US') <> '1 08:00:00.000000' $$,
    'each on a Monday at 08:00:00 on the wall'
);
select results_eq(
    $$ select p.name, o.run_at from email_outbox o join people p on p.person = o.user_id
       where o.email_type = 'E-RET-01' and o.dedupe_key like '%:2026-W13' order by o.run_at, p.name $$,
    $$ values ('chatham', timestamptz '2026-03-29 18:15Z'), ('apia', '2026-03-29 19:00Z'), ('auckland', '2026-03-29 19:00Z'),
        ('lord_howe', '2026-03-29 21:00Z'), ('kathmandu', '2026-03-30 02:15Z'), ('kolkata', '2026-03-30 02:30Z'),
        ('cairo', '2026-03-30 06:00Z'), ('nobody', '2026-03-30 06:00Z'), ('nowhere', '2026-03-30 06:00Z'), ('paris', '2026-03-30 06:00Z'),
        ('santiago', '2026-03-30 11:00Z'), ('sao_paulo', '2026-03-30 11:00Z'), ('new_york', '2026-03-30 12:00Z'), ('pago_pago', '2026-03-30 19:00Z') $$,
    'the Monday after Paris sprang forward; no zone and an unknown one are Paris'
);
select results_eq(
    $$ select p.name, o.run_at from email_outbox o join people p on p.person = o.user_id
       where o.email_type = 'E-RET-01' and o.dedupe_key like '%:2026-W14' and p.name in ('auckland', 'lord_howe', 'santiago', 'paris') order by p.name $$,
    $$ values ('auckland', timestamptz '2026-04-05 20:00Z'), ('lord_howe', '2026-04-05 21:30Z'), ('paris', '2026-04-06 06:00Z'), ('santiago', '2026-04-06 12:00Z') $$,
    'the Monday after the southern clocks fell back: Lord Howe by half an hour'
);
select is_empty(
    $$ select o.dedupe_key from email_outbox o where o.email_type = 'E-RET-01'
       and o.dedupe_key <> format('weekly_usage:%s:%s', o.user_id, to_char((o.payload ->> 'week_start')::date, 'IYYY-"W"IW')) $$,
    'the key names the week reported'
);
delete from email_outbox;
delete from email_signals;
insert into email_signals (kind, user_id, occurred_at)
select 'verdict_viewed', p.person, d from people p, generate_series(timestamptz '2026-09-28 12:00Z', '2026-10-10 12:00Z', interval '1 day') d;
update email_types set active_since = '2026-10-10Z' where code = 'E-RET-01';
select lives_ok($$ select pg_temp.run('2026-10-11 00:00Z', '2026-11-10 12:00Z') $$, 'and so they are in autumn');
select results_eq(
    $$ select count(*), min(to_char(o.run_at at time zone p.zone, 'ID HH24:MI:SS')), max(to_char(o.run_at at time zone p.zone, 'ID HH24:MI:SS'))
       from email_outbox o join people p on p.person = o.user_id and p.name not in ('nobody', 'nowhere') where o.email_type = 'E-RET-01' $$,
    $$ values (12 * 5::bigint, '1 08:00:00', '1 08:00:00') $$,
    'when the other half of the world changes its clocks'
);
delete from email_outbox;
delete from email_signals;
update email_types set active_since = '2020-01-01Z';

-- Who gets one -------------------------------------------------------------------------------------------------------------
-- Week 10 of 2026 is 2 to 8 March; in Auckland (UTC+13) it lasts from Sunday 1 March 11:00Z to Sunday 8 March 11:00Z.
delete from people;
insert into people (name, person) values
('inside', pg_temp.person('a@example.com', '2025-01-01Z', 'Pacific/Auckland')),
('first moment', pg_temp.person('b@example.com', '2025-01-01Z', 'Pacific/Auckland')),
('too early', pg_temp.person('c@example.com', '2025-01-01Z', 'Pacific/Auckland')),
('last moment', pg_temp.person('d@example.com', '2025-01-01Z', 'Pacific/Auckland')),
('too late', pg_temp.person('e@example.com', '2025-01-01Z', 'Pacific/Auckland')),
('signed up', pg_temp.person('f@example.com', '2026-03-05Z', 'Pacific/Auckland')),
('signed up and viewed', pg_temp.person('n@example.com', '2026-03-05Z', 'Pacific/Auckland')),
('logged in', pg_temp.person('m@example.com', '2025-01-01Z', 'Pacific/Auckland')),
('created a project', pg_temp.person('g@example.com', '2025-01-01Z', 'Pacific/Auckland')),
('deployed', pg_temp.person('h@example.com', '2025-01-01Z', 'Pacific/Auckland')),
('viewed a verdict', pg_temp.person('i@example.com', '2025-01-01Z', 'Pacific/Auckland')),
('tried a pro feature', pg_temp.person('j@example.com', '2025-01-01Z', 'Pacific/Auckland')),
('closed account', pg_temp.person('k@example.com', '2025-01-01Z', 'Pacific/Auckland', false)),
('slept', pg_temp.person('l@example.com', '2025-01-01Z', 'Pacific/Auckland'));
create function pg_temp.who(called text) returns uuid language sql as $$ select person from people where name = called $$;
insert into email_signals (kind, user_id, payload, occurred_at) values
('verdict_viewed', pg_temp.who('inside'), '{}', '2026-03-04Z'),
('verdict_viewed', pg_temp.who('first moment'), '{}', '2026-03-01 11:00Z'),
('verdict_viewed', pg_temp.who('too early'), '{}', '2026-03-01 10:59:59.999999Z'),
('verdict_viewed', pg_temp.who('last moment'), '{}', '2026-03-08 10:59:59.999999Z'),
('verdict_viewed', pg_temp.who('too late'), '{}', '2026-03-08 11:00Z'),
('verdict_viewed', pg_temp.who('closed account'), '{}', '2026-03-04Z'),
('verdict_viewed', pg_temp.who('viewed a verdict'), '{}', '2026-03-04Z'),
('verdict_viewed', pg_temp.who('signed up and viewed'), '{}', '2026-03-06Z'),
('login', pg_temp.who('logged in'), '{}', '2026-03-04Z'),
('pro_feature_attempted', pg_temp.who('tried a pro feature'), '{"feature": "export"}', '2026-03-04Z');
select pg_temp.project(pg_temp.who('created a project'), 'P', '2026-03-04Z');
select pg_temp.deploy(pg_temp.project(pg_temp.who('deployed'), 'Q', '2025-01-01Z'), 1, '2026-03-04Z', '2026-03-05Z', 'pending');

select pg_temp.at('2026-03-08 15:59:59Z');
select is(email_scan('E-RET-01'), 0, 'nothing more than three hours ahead');
select pg_temp.at('2026-03-08 16:00Z');
select results_eq(
    $$ select p.name from email_audience('E-RET-01') a join people p on p.person = a.user_id order by 1 $$,
    $$ values ('deployed'), ('first moment'), ('inside'), ('last moment'), ('signed up and viewed'), ('viewed a verdict') $$,
    'who deployed or viewed a verdict in their own local week, first moment included, last not; signing up, logging in and creating a project are nothing to report'
);
select is(email_scan('E-RET-01'), 6, 'and is written to');
select is(email_scan('E-RET-01'), 0, 'a second scan enqueues nothing');
select results_eq(
    $$ select user_id, project_id, to_email, dedupe_key, run_at, due_at, payload from email_outbox where user_id = pg_temp.who('inside') and email_type = 'E-RET-01' $$,
    $$ select pg_temp.who('inside'), null::uuid, null::text, format('weekly_usage:%s:2026-W10', pg_temp.who('inside')),
       timestamptz '2026-03-08 19:00Z', timestamptz '2026-03-08 19:00Z', '{"week_start": "2026-03-02"}'::jsonb $$,
    'with the catalogue''s key, at 08:00 on Monday 9 March in Auckland'
);

-- Figures --------------------------------------------------------------------------------------------------------------------
create temp table key as select format('weekly_usage:%s:2026-W10', pg_temp.who('inside')) as k;
create temp table what as
select pg_temp.project(pg_temp.who('inside'), 'One', '2025-01-02Z') as one, pg_temp.project(pg_temp.who('inside'), 'Two', '2025-01-02Z', 'pro') as two,
    pg_temp.project(pg_temp.who('slept'), 'Of somebody else', '2025-01-02Z') as other;
select pg_temp.deploy(one, 2, '2026-02-22 11:00Z', '2026-03-01 11:00Z'), -- week 9, numbers 1 and 2
    pg_temp.deploy(one, 5, '2026-03-01 11:00Z', '2026-03-08 11:00Z'),    -- week 10, 3 to 7
    pg_temp.deploy(one, 1, '2026-03-08 11:00Z', '2026-03-08 12:00Z'),    -- week 11
    pg_temp.deploy(two, 3, '2026-03-02Z', '2026-03-05Z'),
    pg_temp.deploy(other, 9, '2026-03-02Z', '2026-03-05Z')
from what;
-- p95 after the releases: of One 100 ms in week 9 and 90 and 80 (median 85) in week 10, -15 %; of Two 50 in week 9 and 44, -12 %:
-- the median of the two is -13.5 %.  What was measured before a release says nothing.
select pg_temp.deploy(two, 1, '2026-02-25Z', '2026-02-26Z') from what; -- week 9, number 4
select pg_temp.judge(one, 1, 'warning', 7, 100), pg_temp.judge(one, 3, 'warning', 900, 90), pg_temp.judge(one, 4, 'ok', 1, 80), pg_temp.judge(one, 8, 'warning', 1, 9),
    pg_temp.judge(one, 5, 'warning'), pg_temp.judge(two, 4, 'ok', 1, 50),
    pg_temp.judge(two, 1, 'rollback_recommended', 50, 44), pg_temp.judge(other, 1, 'warning', 1, 9)
from what;
update deployment_verdicts v set summary = 'Data quality insufficient to confirm deployment health'
from deployments d, what where d.id = v.deployment_id and d.project_id = one and d.deployment_number = 5;
update deployments d set pipeline_result = 'failed' from what where d.project_id = one and d.deployment_number = 6;
select is(
    (select g.verdict || ' ' || g.recipient || ' ' || (g.context - '{cta_path,first_name,days,projects}'::text[])::text from key, pg_temp.gate(k) g),
    'send a@example.com {"failed": 1, "analysed": 3, "warnings": 1, "rollbacks": 1, "time_zone": "Pacific/Auckland", "unmeasured": 1, "week_start": "2026-03-02", "deployments": 8, "latency_delta": -13.5, "previous_warnings": 1, "previous_rollbacks": 0, "previous_deployments": 3}',
    'over all own projects, by the user''s own week, beside the week before; a verdict that could not measure is no alert and no analysis'
);
select is(
    (select g.context -> 'projects' from key, pg_temp.gate(k) g),
    (select jsonb_build_array(
        jsonb_build_object('project_id', one, 'name', 'One', 'deployments', 5, 'analysed', 2, 'alerts', 1,
            'path', '/dashboard/deployments/' || one || '/' || (select id from deployments d where d.project_id = one and d.deployment_number = 3)),
        jsonb_build_object('project_id', two, 'name', 'Two', 'deployments', 3, 'analysed', 1, 'alerts', 1,
            'path', '/dashboard/deployments/' || two || '/' || (select id from deployments d where d.project_id = two and d.deployment_number = 1))
    ) from what),
    'the projects that deployed, each with the way to its alert'
);
-- In Auckland: five deployments of One from Monday 00:00 every 33.6 hours, three of Two from Monday 13:00 every 24 hours.
select is(
    (select g.context -> 'days' from key, pg_temp.gate(k) g),
    '[{"date": "2026-03-02", "deployments": 2, "alerts": 2}, {"date": "2026-03-03", "deployments": 2, "alerts": 0}, {"date": "2026-03-04", "deployments": 2, "alerts": 0},
      {"date": "2026-03-06", "deployments": 1, "alerts": 0}, {"date": "2026-03-07", "deployments": 1, "alerts": 0}]'::jsonb,
    'the days on which something was deployed, by the user''s clock'
);
select is(
    (select (g.context - array['cta_path', 'first_name', 'time_zone']) from pg_temp.gate(format('weekly_usage:%s:2026-W10', pg_temp.who('signed up and viewed'))) g),
    '{"week_start": "2026-03-02", "deployments": 0, "analysed": 0, "warnings": 0, "rollbacks": 0, "unmeasured": 0, "failed": 0, "latency_delta": null, "days": null, "projects": null, "previous_deployments": null, "previous_warnings": null, "previous_rollbacks": null}'::jsonb,
    'zeros and nulls where there is nothing, and no week before for who was not there'
);
savepoint s;
update email_outbox set payload = '{}' where email_type = 'E-RET-01';
select is((select g.context ->> 'week_start' from key, pg_temp.gate(k) g), '2026-03-02', 'the week is read from the key');
update email_outbox set dedupe_key = 'by hand' where dedupe_key = (select k from key);
select is((select g.context ->> 'week_start' from pg_temp.gate('by hand') g), '2026-03-02', 'or else is the one before the row is due');
rollback to s;
update email_preferences set timezone = 'garbage' where user_id = pg_temp.who('inside');
select is((select g.verdict from key, pg_temp.gate(k) g), 'send', 'a zone that became unknown breaks nothing');
rollback to s;

-- Still true -----------------------------------------------------------------------------------------------------------------
delete from email_signals where user_id = pg_temp.who('inside');
select is((select g.verdict from key, pg_temp.gate(k) g), 'send', 'true as long as one deployment or view of the week is left');
delete from deployments;
select is((select g.reason from key, pg_temp.gate(k) g), 'no deployment and no verdict viewed in the week of 2026-03-02', 'untrue when none is');
rollback to s;

-- Late, and the past ---------------------------------------------------------------------------------------------------------
delete from email_outbox;
select pg_temp.at('2026-03-09 18:59:59Z');
select is(email_scan('E-RET-01'), 7, 'after an outage it still catches up within a day (the other one was active by then)');
select is((select max(run_at) from email_outbox where email_type = 'E-RET-01'), '2026-03-08 19:00Z'::timestamptz, 'as due when it was due, so that it expires when it would have');
delete from email_outbox;
select pg_temp.at('2026-03-09 19:00Z');
select is(email_scan('E-RET-01'), 0, 'but not later');
select pg_temp.at('2026-03-09 00:00Z');
update email_types set active_since = '2026-03-08 19:00:00.000001Z' where code = 'E-RET-01';
select is(email_scan('E-RET-01'), 0, 'a Monday before active_since is not reported');
update email_types set active_since = '2026-03-08 19:00Z' where code = 'E-RET-01';
select is(email_scan('E-RET-01'), 7, 'one at active_since is');
rollback to s;
select pg_temp.sent_and_gone(k) from key;
select is((select count(*) from email_audience('E-RET-01') a where a.user_id = pg_temp.who('inside')), 0::bigint, 'what the journal remembers is not written again');
rollback to s;
-- Moving to another zone does not make a second report of the same week.
update email_preferences set timezone = 'Pacific/Pago_Pago' where user_id = pg_temp.who('inside');
select pg_temp.at('2026-03-09 18:00Z');
select email_scan('E-RET-01');
select is((select count(*) from email_outbox where user_id = pg_temp.who('inside') and email_type = 'E-RET-01'), 1::bigint, 'who moves to the other end of the world has one report of the week');
rollback to s;

-- Another time of day, across a change of clocks -------------------------------------------------------------------------------
-- No zone changes its clocks around 08:00 on a Monday; what the file says about such a time is Postgres' own rule.
delete from email_outbox;
select is(
    (select array_agg((timestamp '2026-03-29 02:30' at time zone z) order by z) from unnest(array['Europe/Paris']) z), array['2026-03-29 01:30Z'::timestamptz],
    'a time that does not exist is reckoned with the offset before the change'
);
select is(
    (select array_agg((timestamp '2026-10-25 02:30' at time zone z) order by z) from unnest(array['Europe/Paris']) z), array['2026-10-25 01:30Z'::timestamptz],
    'one that exists twice is its second occurrence'
);
update email_types set params = params || '{"local_time": "23:45"}' where code = 'E-RET-01';
select pg_temp.at('2026-03-09 09:00Z');
select is(email_scan('E-RET-01'), 7, 'a DBA sets another time of day');
select is((select max(run_at) from email_outbox where email_type = 'E-RET-01'), '2026-03-09 10:45Z'::timestamptz, 'and that is when it goes out');
rollback to s;

-- Many reports at once are no blast ---------------------------------------------------------------------------------------------
delete from email_outbox;
update email_settings set blast_limit = 1;
select is(email_scan('E-RET-01'), 7, 'the blast limit does not hold for it: everybody''s Monday is the same');

-- What "active" means, and the zones ----------------------------------------------------------------------------------------------
select is_empty(
    $$ select u.id from users u
       cross join lateral email_last_active(u.id, email_now()) l
       where l.last_active_at is distinct from (select max(a.active_at) from email_activity(u.id, '-infinity', email_now() + interval '1 microsecond') a) $$,
    'email_last_active is the last of email_activity, for everybody'
);
select is((select last_active_at from email_last_active(gen_random_uuid(), email_now())), null, 'and null for nobody');
select is(email_zone(null), 'Europe/Paris', 'no zone is Paris');
select is(email_zone('Asia/Kolkata'), 'Asia/Kolkata', 'a known one is itself');
select is(email_zone('Mars/Olympus'), 'Europe/Paris', 'an unknown one is Paris');
select is(email_zone($$'; drop table users --$$), 'Europe/Paris', 'and so is nonsense');

select * from finish();
rollback;
