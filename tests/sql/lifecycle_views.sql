-- Weekly active users, the ratio of trigger to finish and conversion by cohort, each on a small data set worked out beside it.
--
-- now is Wednesday, 11 March 2026, 12:00 UTC: its week is 2026-W11 (9 to 15 March), the ones before 2026-W10 (2 to 8) and 2026-W09.
begin;
\ir support/scans.sql
select plan(17);
select pg_temp.at('2026-03-11 12:00Z');
create temp table people (name text, person uuid);
create function pg_temp.who(called text) returns uuid language sql as $$ select person from people where name = called $$;

-- email_wau ------------------------------------------------------------------------------------------------------------------
-- User   active                                      W09   W10   W11
-- ada    signed up 24 Feb, deploys 3 and 10 March    x     x     x
-- bob    signed up 1 March 23:59:59, logs in 8 March x     x
-- cyd    signed up January, looks at a verdict 2 March 00:00     x
-- dot    signed up January, project 9 March                      x
-- Active 2, 3, 2; returned of the week before: 2 of 2 = 100 %, then 1 (ada) of 3 = 33.33 %.
insert into people values ('ada', pg_temp.person('ada@example.com', '2026-02-24 10:00Z')), ('bob', pg_temp.person('bob@example.com', '2026-03-01 23:59:59Z')),
    ('cyd', pg_temp.person('cyd@example.com', '2026-01-05Z')), ('dot', pg_temp.person('dot@example.com', '2026-01-05Z'));
select pg_temp.project(pg_temp.who('ada'), 'A', '2026-02-24 11:00Z') as a \gset
select pg_temp.deploy(:'a', 1, '2026-03-03Z', '2026-03-04Z'), pg_temp.deploy(:'a', 2, '2026-03-10Z', '2026-03-11Z');
select public.email_signal('login', pg_temp.who('bob'), null, '{}', '2026-03-08 23:59:59Z'), public.email_signal('verdict_viewed', pg_temp.who('cyd'), null, '{}', '2026-03-02Z');
select pg_temp.project(pg_temp.who('dot'), 'D', '2026-03-09Z');
select results_eq($$ select week, starts, users, returned, value, complete from email_wau where starts >= '2026-02-23' $$,
    $$ values ('2026-W09', date '2026-02-23', 2::bigint, 0::bigint, null::numeric, true), ('2026-W10', '2026-03-02', 3, 2, 100.00, true), ('2026-W11', '2026-03-09', 2, 1, 33.33, false) $$,
    'weekly active users, and who came back');
select results_eq('select count(*), min(starts), sum(users) from email_wau', $$ values (12::bigint, date '2025-12-22', 9::numeric) $$, 'twelve weeks, those without anybody too');
select results_eq($$ select week, users, returned, value from email_wau_over('7 days') $$, $$ values ('2026-W11', 2::bigint, 1::bigint, 33.33) $$, 'a shorter period looks a week further back for who was active before');
select throws_ok($$ select * from email_wau_over('6 days') $$, '22023', null, 'less than a week is refused');

-- email_finish_ratio -----------------------------------------------------------------------------------------------------------
-- W10: 5 triggered, 3 finished, 2 running since: 3 of 5 = 60 %.
-- W11: 4 triggered: 2 analysed, 1 running since 9 March 11:00 (49 hours), 1 since 10 March (pending): 2 of 3 = 66.67 %.
delete from deployments;
select pg_temp.deploy(:'a', 2, '2026-03-03Z', '2026-03-04Z', 'analyzed'), pg_temp.deploy(:'a', 1, '2026-03-08 23:59:59Z', '2026-03-09Z', 'finished'),
    pg_temp.deploy(:'a', 1, '2026-03-05Z', '2026-03-06Z', 'running'), pg_temp.deploy(:'a', 2, '2026-03-09Z', '2026-03-09 10:00Z', 'analyzed');
update deployments set env = 'e' || deployment_number;
select pg_temp.deploy(:'a', 1, '2026-03-06Z', '2026-03-07Z', 'pending');
update deployments set env = 'e' || deployment_number;
select pg_temp.deploy(:'a', 1, '2026-03-09 11:00Z', '2026-03-10Z', 'running');
update deployments set env = 'e' || deployment_number;
select pg_temp.deploy(:'a', 1, '2026-03-10Z', '2026-03-11Z', 'running');
select results_eq($$ select week, starts, triggered, finished, pending, value, complete from email_finish_ratio where starts >= '2026-02-23' $$,
    $$ values ('2026-W09', date '2026-02-23', 0::bigint, 0::bigint, 0::bigint, null::numeric, true), ('2026-W10', '2026-03-02', 5, 3, 0, 60.00, true), ('2026-W11', '2026-03-09', 4, 2, 1, 66.67, false) $$,
    'of what is triggered, how much is finished');
select pg_temp.at('2026-03-12 00:00:01Z');
select is((select format('%s of %s, %s pending: %s', finished, triggered, pending, value) from email_finish_ratio where week = '2026-W11'), '2 of 4, 0 pending: 50.00', 'after 48 hours it counts');
select pg_temp.at('2026-03-11 12:00Z');
select is((select count(*) from email_finish_ratio), 12::bigint, 'twelve weeks');
select throws_ok($$ select * from email_finish_ratio_over('1 day') $$, '22023', null, 'less than a week is refused');

-- email_conversion_cohorts ---------------------------------------------------------------------------------------------------------
-- Project   created   plan                                        January             February     March
-- a         10 Jan    free, pro on 20 Jan                         converted
-- b         31 Jan    free, pro on 1 Feb, free again, pro 5 March               converted
-- c         15 Jan    free
-- d         15 Jan    pro from the start                          no, it was never free
-- e         5 Feb     free, pro on 10 March                                              converted
-- f         20 Feb    free
-- January: 3 projects; 1 so far = 33.33 %, 2 = 66.67 %, 2. February: 2 projects; 0, then 1 = 50 %.
delete from projects;
select pg_temp.at('2026-01-10Z');
create function pg_temp.change(of_project text, to_plan text, moment timestamptz) returns void language sql
as $$ select pg_temp.at(moment); update projects set plan = to_plan where name = of_project $$;
select pg_temp.project(pg_temp.who('ada'), name, created, pays)
from (values ('a', timestamptz '2026-01-10Z', 'free'), ('b', '2026-01-31 23:00Z', 'free'), ('c', '2026-01-15Z', 'free'), ('d', '2026-01-15Z', 'pro'), ('e', '2026-02-05Z', 'free'), ('f', '2026-02-20Z', 'free')) v (name, created, pays);
select pg_temp.change('a', 'pro', '2026-01-20Z'), pg_temp.change('b', 'pro', '2026-02-01 00:00Z');
select pg_temp.change('b', 'free', '2026-02-10Z');
select pg_temp.change('b', 'enterprise', '2026-03-05Z');
select pg_temp.change('e', 'pro', '2026-03-10Z');
select pg_temp.at('2026-03-11 12:00Z');
select results_eq($$ select cohort, month, months_after, projects, converted, converted_so_far, value, complete from email_conversion_cohorts $$,
    $$ values ('2026-01', '2026-01', 0, 3::bigint, 1::bigint, 1::bigint, 33.33, true), ('2026-01', '2026-02', 1, 3, 1, 2, 66.67, true), ('2026-01', '2026-03', 2, 3, 0, 2, 66.67, false),
        ('2026-02', '2026-02', 0, 2, 0, 0, 0.00, true), ('2026-02', '2026-03', 1, 2, 1, 1, 50.00, false) $$,
    'of the free projects of a month, how many are paid for in that and each later month');
select is((select count(*) from email_conversion_cohorts_over('2 months')), 2::bigint, 'a shorter period has fewer cohorts');
select throws_ok($$ select * from email_conversion_cohorts_over('1 day') $$, '22023', null, 'less than a month is refused');

-- Rights, and tables that are gone ---------------------------------------------------------------------------------------------------
select is(pg_temp.as_role('email_reader', 'select sum(users) from public.email_wau'), '11', 'email_reader reads the weeks');
select is(pg_temp.as_role('email_reader', 'select sum(triggered) from public.email_finish_ratio'), '0', 'the ratio');
select is(pg_temp.as_role('email_reader', 'select count(*) from public.email_conversion_cohorts'), '5', 'and the cohorts');
select is(pg_temp.as_role('email_reader', 'select count(*) from public.projects'), '42501', 'but no table of the application');
select is(pg_temp.as_role('email_app', 'select count(*) from public.email_wau'), '42501', 'the application''s role none of them');
drop table deployment_verdicts, sdh_hints, metric_samples, scheduled_jobs, deployments cascade;
select results_eq('select (select count(*) from email_wau), (select count(*) from email_finish_ratio), (select count(*) from email_conversion_cohorts)',
    $$ values (0::bigint, 0::bigint, 5::bigint) $$, 'where a table is gone there is no row, and no error');

select * from finish();
rollback;
