-- E-CONV-05: the monthly report of a user's free projects.
begin;
\ir support/scans.sql
select plan(35);

-- One owner per zone; the second column is when 09:00 of 1 April 2026 is there, or the end of March in UTC if that is later.
create temp table zones (zone text, april timestamptz, person uuid, project uuid);
insert into zones (zone, april) values
('Europe/Paris',        '2026-04-01 07:00Z'), -- summer time since 29 March
('America/New_York',    '2026-04-01 13:00Z'), -- since 8 March
('Asia/Kolkata',        '2026-04-01 03:30Z'),
('Pacific/Auckland',    '2026-04-01 00:00Z'), -- 09:00 would be 31 March 20:00Z: the UTC month is not over
('America/Sao_Paulo',   '2026-04-01 12:00Z'),
('Pacific/Apia',        '2026-04-01 00:00Z'), -- UTC+13
('Australia/Lord_Howe', '2026-04-01 00:00Z'), -- UTC+11, ten and a half from 5 April on
('Pacific/Kiritimati',  '2026-04-01 00:00Z'), -- UTC+14, the earliest
('Asia/Tokyo',          '2026-04-01 00:00Z'), -- UTC+9: exactly then
('Australia/Darwin',    '2026-04-01 00:00Z'), -- UTC+9:30
('Asia/Kathmandu',      '2026-04-01 03:15Z'),
('Pacific/Pago_Pago',   '2026-04-01 20:00Z'), -- UTC-11
('Etc/GMT+12',          '2026-04-01 21:00Z'), -- the latest
('Africa/Casablanca',   '2026-04-01 08:00Z'),
('not a zone',          '2026-04-01 07:00Z'), -- as Europe/Paris
(null,                  '2026-04-01 07:00Z'); -- no preferences: Europe/Paris
update zones set person = pg_temp.person('owner' || md5(coalesce(zone, '')) || '@example.com', '2025-06-01Z', zone);
update zones set project = pg_temp.project(person, 'Projet', '2025-06-02Z');
select pg_temp.deploy(project, 5, '2026-03-02Z', '2026-03-20Z') from zones;

select pg_temp.at('2026-03-31 20:59:59Z');
select is(email_scan('E-CONV-05'), 0, 'nothing more than three hours ahead');
-- The scan runs every hour from 21:00 on; every row must be there before its moment.
create temp table seen (person uuid, at timestamptz, run_at timestamptz);
create function pg_temp.run(since timestamptz, until timestamptz) returns bigint language plpgsql
as $$
begin
    for hour in 0 .. extract(epoch from until - since)::integer / 3600 loop
        perform pg_temp.at(since + hour * interval '1 hour');
        perform email_scan('E-CONV-05');
        insert into seen select o.user_id, email_now(), o.run_at from email_outbox o
        where o.email_type = 'E-CONV-05' and not exists (select from seen s where s.person = o.user_id and s.run_at = o.run_at);
    end loop;
    return pg_temp.letters('E-CONV-05');
end
$$;
select is(pg_temp.run('2026-03-31 21:00Z', '2026-04-02 12:00Z'), 16::bigint, 'one letter per user, however often it is scanned');
select results_eq(
    $$ select z.zone, o.run_at from zones z left join email_outbox o on o.user_id = z.person and o.email_type = 'E-CONV-05' order by z.zone, z.april $$,
    $$ select zone, april from zones order by zone, april $$,
    'exactly at 09:00 of each owner, and not before the UTC month is over'
);
select is_empty(
    $$ select zone, april from zones where zone <> 'not a zone'
       and case april when '2026-04-01Z' then april at time zone nullif(zone, 'not a zone') < '2026-04-01 09:00' else april at time zone nullif(zone, 'not a zone') <> '2026-04-01 09:00' end $$,
    'which is what the clock on the wall says there'
);
select is_empty($$ select * from seen where at > run_at $$, 'each was there before its moment');
select results_eq(
    $$ select o.user_id, o.dedupe_key, o.project_id, o.to_email, o.payload, o.due_at = o.run_at from email_outbox o join zones z on z.person = o.user_id where z.zone = 'Europe/Paris' and o.email_type = 'E-CONV-05' $$,
    $$ select person, format('monthly_value_report:%s:2026-03', person), null::uuid, null::text, '{"month": "2026-03"}'::jsonb, true from zones where zone = 'Europe/Paris' $$,
    'for the owner, under the month reported'
);

-- The autumn: Paris is back on winter time since 25 October, New York goes there on 1 November itself, at 02:00 local time.
select pg_temp.deploy(project, 1, '2026-10-02Z', '2026-10-20Z') from zones;
delete from email_outbox;
select is(pg_temp.run('2026-10-31 20:00Z', '2026-11-02 12:00Z'), 16::bigint, 'all again in autumn');
select results_eq(
    $$ select z.zone, o.run_at from zones z join email_outbox o on o.user_id = z.person and o.email_type = 'E-CONV-05'
       where z.zone in ('Europe/Paris', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata') order by z.zone $$,
    $$ values ('America/New_York', timestamptz '2026-11-01 14:00Z'), ('Asia/Kolkata', '2026-11-01 03:30Z'),
              ('Australia/Lord_Howe', '2026-11-01 00:00Z'), ('Europe/Paris', '2026-11-01 08:00Z') $$,
    'on the day the clocks change it is 09:00 by the new time'
);

-- Who gets one -------------------------------------------------------------------------------------------------------------
delete from email_outbox;
create temp table what as
select
    nadia, karim, awa,
    pg_temp.project(nadia, 'API Gateway', '2025-01-02Z') as gateway,
    pg_temp.project(nadia, 'Asleep', '2025-01-02Z') as asleep,
    pg_temp.project(nadia, 'Paid for', '2025-01-02Z', 'pro') as paid,
    pg_temp.project(nadia, 'First second', '2025-01-02Z') as first_second,
    pg_temp.project(karim, 'Last microsecond', '2025-01-02Z') as only_one,
    pg_temp.project(awa, 'Paid for, too', '2025-01-02Z', 'pro') as pays,
    pg_temp.project(awa, 'This month', '2025-01-02Z') as this_month,
    pg_temp.project(pg_temp.person('gone@example.com', '2025-01-01Z', null, false), 'Of a closed account', '2025-01-02Z') as closed
from (select pg_temp.person('nadia@example.com', '2025-01-01Z') as nadia, pg_temp.person('karim@example.com', '2025-01-01Z') as karim, pg_temp.person('awa@example.com', '2025-01-01Z') as awa) who;
select pg_temp.deploy(gateway, 4, '2026-01-10Z', '2026-01-20Z'),
    pg_temp.deploy(gateway, 10, '2026-02-01Z', '2026-03-01Z'),
    pg_temp.deploy(paid, 10, '2026-02-01Z', '2026-03-01Z'),
    pg_temp.deploy(pays, 10, '2026-02-01Z', '2026-03-01Z'),
    pg_temp.deploy(closed, 10, '2026-02-01Z', '2026-03-01Z'),
    pg_temp.deploy(asleep, 10, '2026-01-01Z', '2026-02-01Z'),
    pg_temp.deploy(first_second, 1, '2026-02-01Z', '2026-03-01Z'),
    pg_temp.deploy(only_one, 1, '2026-02-28 23:59:59.999999Z', '2026-03-01Z'),
    pg_temp.deploy(this_month, 1, '2026-03-01Z', '2026-03-02Z')
from what;
create temp table key as select format('monthly_value_report:%s:2026-02', nadia) as k, format('monthly_value_report:%s:2026-02', karim) as one from what;
select pg_temp.at('2026-03-01 05:30Z');
select is(email_scan('E-CONV-05'), 2, 'users a free project of whom deployed in the UTC month');
select results_eq(
    $$ select user_id, project_id, run_at from email_outbox where email_type = 'E-CONV-05' order by 1 $$,
    $$ select p, null::uuid, timestamptz '2026-03-01 08:00Z' from what, unnest(array[nadia, karim]) p order by 1 $$,
    'also when it was in its first moment or its last microsecond; no other, and one letter of several projects'
);
select is(email_scan('E-CONV-05'), 0, 'scanned twice: still one each');

-- Figures --------------------------------------------------------------------------------------------------------------------
-- January of the gateway: p95 after the releases 100 and 300 ms (median 200); February: 150, 170 and 190 (170), so -15 %.
select pg_temp.judge(gateway, 1, 'rollback_recommended', 5, 100), pg_temp.judge(gateway, 2, 'ok', 5, 300),
    pg_temp.judge(gateway, 5, 'warning', 100, 150), pg_temp.judge(gateway, 6, 'attention', 100, 170), pg_temp.judge(gateway, 7, 'rollback_recommended', 100, 190),
    pg_temp.judge(gateway, 8, 'ok', 100), pg_temp.judge(gateway, 9, 'warning'), pg_temp.judge(paid, 1, 'warning', 1, 9)
from what;
update deployment_verdicts v set summary = 'Insufficient metrics to assess deployment health' from deployments d, what where d.id = v.deployment_id and d.project_id = gateway and d.deployment_number = 9;
update deployments d set pipeline_result = 'failed' from what where d.project_id = gateway and d.deployment_number in (8, 10);
select is(
    (select g.verdict || ' ' || g.recipient || ' ' || (g.context - '{cta_path,time_zone,first_name,projects}'::text[])::text from key, pg_temp.gate(k) g),
    'send nadia@example.com {"month": "2026-02", "failed": 2, "analysed": 4, "warnings": 2, "rollbacks": 1, "project_id": null, "unmeasured": 1, "deployments": 11, "project_name": null, "latency_delta": -15.0, "previous_warnings": 0, "previous_rollbacks": 1, "previous_deployments": 4}',
    'February''s figures of the free projects beside January''s: eleven deployments, four of them analysed, one could not be measured'
);
select is(
    (select g.context -> 'projects' from key, pg_temp.gate(k) g),
    (select jsonb_build_array(
        jsonb_build_object('project_id', gateway, 'name', 'API Gateway', 'deployments', 10, 'analysed', 4, 'alerts', 3,
            'path', '/dashboard/deployments/' || gateway || '/' || (select id from deployments d where d.project_id = gateway and d.deployment_number = 7)),
        jsonb_build_object('project_id', first_second, 'name', 'First second', 'deployments', 1, 'analysed', 0, 'alerts', 0, 'path', '/dashboard/projects/' || first_second)
    ) from what),
    'and by project: the one with alerts leads to the latest of them; the paid one and the one asleep are not there'
);
select is(
    (select g.context - '{cta_path,time_zone,first_name,projects}'::text[] from key, pg_temp.gate(one) g),
    (select jsonb_build_object('month', '2026-02', 'project_name', 'Last microsecond', 'project_id', only_one, 'deployments', 1, 'analysed', 0, 'warnings', 0, 'rollbacks', 0,
        'unmeasured', 0, 'failed', 0, 'latency_delta', null, 'previous_deployments', 0, 'previous_warnings', 0, 'previous_rollbacks', 0) from what),
    'a single project is named'
);
savepoint s;
insert into metric_samples (deployment_id, phase, requests_per_sec, latency_p95, error_rate, cpu_usage, memory_usage, collected_at)
select d.id, 'post', 0, p.latency, 0, 0, 0, d.started_at + p.nr * interval '1 minute'
from deployments d, what, (values (1, 0::float8), (2, 'NaN'), (3, 'Infinity')) p (nr, latency)
where d.project_id = gateway and d.deployment_number = 9;
select is((select g.context -> 'latency_delta' from key, pg_temp.gate(k) g), '-15.0'::jsonb, 'samples that are zero, NaN or infinite are left out');
select pg_temp.judge(first_second, 1, 'ok', 5, 1) from what;
select is((select g.context -> 'latency_delta' from key, pg_temp.gate(k) g), '-15.0'::jsonb, 'a project without a month to compare with changes nothing');
delete from metric_samples;
select is((select g.context -> 'latency_delta' from key, pg_temp.gate(k) g), 'null'::jsonb, 'without samples it is null');
update projects set created_at = '2026-02-01Z' where name in ('API Gateway', 'First second');
select is((select array[g.context -> 'previous_deployments', g.context -> 'previous_warnings', g.context -> 'previous_rollbacks'] from key, pg_temp.gate(k) g),
    array['null', 'null', 'null']::jsonb[], 'no month before for projects that are younger');
rollback to s;

-- Still true -----------------------------------------------------------------------------------------------------------------
update projects set plan = 'pro' where name = 'API Gateway';
select is((select g.verdict || ' ' || (g.context ->> 'project_name') from key, pg_temp.gate(k) g), 'send First second', 'one project is paid for by now: the letter is about the other one');
update projects set plan = 'pro' where name = 'First second';
select is((select g.reason from key, pg_temp.gate(k) g), 'no project is free any more', 'untrue once all are');
update projects set plan = 'pro' where name = 'Last microsecond';
select is((select g.reason from key, pg_temp.gate(one) g), 'project is not free any more', 'or the only one');
rollback to s;
delete from projects p using what where p.owner_id = nadia;
select is((select g.reason from key, pg_temp.gate(k) g), 'no project of theirs deployed in 2026-02', 'untrue once they are deleted');
rollback to s;
update email_outbox set payload = '{}' where email_type = 'E-CONV-05';
select is((select g.context ->> 'deployments' || ' ' || (g.context ->> 'month') from key, pg_temp.gate(k) g), '11 2026-02', 'the month is read from the key');
rollback to s;

-- Late, and the past ---------------------------------------------------------------------------------------------------------
delete from email_outbox;
select pg_temp.at('2026-03-08 07:59:59Z');
select is(email_scan('E-CONV-05'), 2, 'after an outage of nearly a week it still catches up');
select is((select max(run_at) from email_outbox where email_type = 'E-CONV-05'), '2026-03-01 08:00Z'::timestamptz, 'as due when it was due, so that it expires when it would have');
delete from email_outbox;
select pg_temp.at('2026-03-08 08:00:00Z');
select is(email_scan('E-CONV-05'), 0, 'but not with what has expired');
select pg_temp.at('2026-03-02Z');
update email_types set active_since = '2026-03-01 08:00:00.000001Z' where code = 'E-CONV-05';
select is(email_scan('E-CONV-05'), 0, 'a report that was due before active_since is not made');
update email_types set active_since = '2026-03-01 08:00Z' where code = 'E-CONV-05';
select is(email_scan('E-CONV-05'), 2, 'one that falls due at active_since is, though the month lies before it');
rollback to s;
select pg_temp.sent_and_gone(k) from key;
select is(email_scan('E-CONV-05'), 0, 'what the journal remembers is not written again');
rollback to s;
update email_settings set blast_limit = 1;
delete from email_outbox;
select is(email_scan('E-CONV-05'), 2, 'the blast limit does not hold for it: all reports are due at the same moment');
rollback to s;
delete from email_outbox;
update email_types set params = params || '{"local_time": "18:30"}' where code = 'E-CONV-05';
select is(email_scan('E-CONV-05'), 0, 'a DBA sets another time of day');
select pg_temp.at('2026-03-01 15:00Z');
select email_scan('E-CONV-05');
select is((select max(run_at) from email_outbox where email_type = 'E-CONV-05'), '2026-03-01 17:30Z'::timestamptz, 'and that is when it goes out');
rollback to s;

-- December reports in January -------------------------------------------------------------------------------------------------
select pg_temp.deploy(gateway, 1, '2026-12-31 12:00Z', '2026-12-31 13:00Z') from what;
select pg_temp.at('2027-01-01 07:00Z');
select email_scan('E-CONV-05');
select results_eq(
    $$ select dedupe_key, run_at from email_outbox where email_type = 'E-CONV-05' and run_at > '2026-12-01Z' $$,
    $$ select format('monthly_value_report:%s:2026-12', nadia), timestamptz '2027-01-01 08:00Z' from what $$,
    'December is reported on 1 January'
);

-- Seven projects, one letter ------------------------------------------------------------------------------------------------
create temp table seven as select pg_temp.person('seven@example.com', '2025-01-01Z') as owner;
select pg_temp.deploy(pg_temp.project(owner, 'Project ' || n, '2025-02-01Z'), n, '2027-01-05Z', '2027-01-25Z') from seven, generate_series(1, 7) n;
select pg_temp.at('2027-02-01 05:30Z');
select email_scan('E-CONV-05');
select is((select count(*) from email_outbox o, seven s where o.email_type = 'E-CONV-05' and o.user_id = s.owner), 1::bigint, 'seven free projects: one monthly report');
select is(
    (select jsonb_array_length(g.context -> 'projects') || ' projects, ' || (g.context ->> 'deployments') || ' deployments'
     from seven s, pg_temp.gate(format('monthly_value_report:%s:2027-01', s.owner)) g),
    '7 projects, 28 deployments', 'with a line for each'
);

select * from finish();
rollback;
