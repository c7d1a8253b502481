-- The seven KPIs of the specification, each on a small data set whose result is worked out beside it.
--
-- "day 10" is ten days before now.  Every letter is a journal row as the sidecar leaves it.
begin;
\ir support/fixtures.sql
\ir support/kpis.sql
select plan(31);

create function pg_temp.kpi(name text) returns text
language sql
as $$
select format('%s = %s/%s, measured %s', coalesce(k.value::text, 'null'), k.numerator, k.denominator, k.measured)
from public.email_kpis k where k.kpi = name
$$;

select results_eq($$ select kpi from email_kpis $$,
    $$ values ('activation_24h'), ('first_deployment_72h'), ('free_to_pro_conversion_30d'), ('quota_email_to_upgrade'), ('alert_open_rate'),
        ('reactivation_rate'), ('dunning_recovery_rate') $$, 'the seven, in the specification''s order');
select is((select count(*) from email_kpis where value is null and numerator = 0 and denominator = 0 and measured = 0), 7::bigint,
    'nothing has happened: nothing is measured, which is not 0 %');

-- activation_24h ---------------------------------------------------------------------------------------------------------
-- Signed up            project after    counts
-- ada    day 10        2 hours          yes, reached
-- bob    day 10        25 hours         yes, too late
-- cyd    day 29        none             yes
-- dot    day 30.5      23 hours         yes, reached: its 24 hours ended 29.5 days ago
-- eve    day 0.5       1 hour           no, its 24 hours are not over
-- fay    day 31.5      1 hour           no, longer ago
-- 2 of 4 = 50 %
savepoint s;
select kpi.person('ada', 10), kpi.person('bob', 10), kpi.person('cyd', 29), kpi.person('dot', 30.5), kpi.person('eve', 0.5), kpi.person('fay', 31.5);
select kpi.project('ada', 'a', 10, '2 hours'), kpi.project('bob', 'b', 10, '25 hours'), kpi.project('dot', 'd', 30.5, '23 hours'),
    kpi.project('eve', 'e', 0.5, '1 hour'), kpi.project('fay', 'f', 31.5, '1 hour');
select is(pg_temp.kpi('activation_24h'), '50.00 = 2/4, measured 4', 'activation_24h');
select is((select value from email_kpis_over('1 day') where kpi = 'activation_24h'), null, 'another period, another cohort: nobody signed up two days ago');
select is((select format('%s/%s', numerator, denominator) from email_kpis_over('40 days') where kpi = 'activation_24h'), '3/5', 'a longer one takes fay in');
select throws_ok($$ select * from email_kpis_over('1 hour') $$, '22023', null, 'a period short enough to single somebody out is refused');
rollback to s;

-- first_deployment_72h ---------------------------------------------------------------------------------------------------
-- Project   created   first deployment after   counts
-- a         day 10    1 day                    yes, reached
-- b         day 10    73 hours                 yes, too late
-- c         day 20    none                     yes
-- d         day 2     1 hour                   no, its 72 hours are not over
-- 1 of 3 = 33.33 %
select kpi.person('ada', 50);
select kpi.project('ada', 'a', 10), kpi.project('ada', 'b', 10), kpi.project('ada', 'c', 20), kpi.project('ada', 'd', 2);
select kpi.deployment('a', 9), kpi.deployment('a', 1), kpi.deployment('b', 10 - 73 / 24.0), kpi.deployment('d', 2 - 1 / 24.0);
select is(pg_temp.kpi('first_deployment_72h'), '33.33 = 1/3, measured 3', 'first_deployment_72h');
rollback to s;

-- free_to_pro_conversion_30d ---------------------------------------------------------------------------------------------
-- Project   created   plan                                 counts
-- a         day 40    free, pro on day 20                  yes, reached
-- b         day 40    free, pro on day 5 (after 35 days)   yes, too late
-- c         day 50    free                                 yes
-- d         day 45    pro from the start                   no, it was never free
-- e         day 45    pro, free on day 40, pro on day 39   no, it began as pro
-- f         day 20    free, pro on day 15                  no, its 30 days are not over
-- g         day 40    free, enterprise on day 39           yes, reached
-- 2 of 4 = 50 %
select kpi.person('ada', 70);
select kpi.project('ada', 'a', 40), kpi.project('ada', 'b', 40), kpi.project('ada', 'c', 50), kpi.project('ada', 'd', 45, plan => 'pro'),
    kpi.project('ada', 'e', 45, plan => 'pro'), kpi.project('ada', 'f', 20), kpi.project('ada', 'g', 40);
select kpi.plan('a', 'free', 'pro', 20), kpi.plan('b', 'free', 'pro', 5), kpi.plan('e', 'pro', 'free', 40), kpi.plan('e', 'free', 'pro', 39),
    kpi.plan('f', 'free', 'pro', 15), kpi.plan('g', 'free', 'enterprise', 39);
select is(pg_temp.kpi('free_to_pro_conversion_30d'), '50.00 = 2/4, measured 4', 'free_to_pro_conversion_30d');
rollback to s;

-- quota_email_to_upgrade -------------------------------------------------------------------------------------------------
-- Project   letters                              upgrade    counts
-- a         CONV-01 day 20, CONV-02 day 16       day 15     once, reached: 5 days after the first, 1 after the second
-- b         CONV-01 day 20, CONV-03 day 12       day 11     once, reached: 9 days after the first, 1 after the second
-- c         CONV-03 day 10                       day 11     once; it upgraded before the letter, and came back
-- d         CONV-01 day 3                        day 2      no, its 7 days are not over
-- e         CONV-01 day 20, not sent             day 19     no
-- f         CONV-01 day 39, CONV-02 day 38       day 37     no, its last letter is too long ago
-- g         CONV-01 day 20, CONV-02 day 18       day 10.5   once, too late: 7.5 days after the second
-- h         CONV-01 day 12, CONV-02 day 4        day 11     no, the 7 days of its last letter are not over
-- 2 of 4 = 50 %
select kpi.person('ada', 70);
select kpi.project('ada', p, 60) from unnest('{a,b,c,d,e,f,g,h}'::text[]) p;
select kpi.quota_letter('E-CONV-01', 'free_quota_80', 'a', 20), kpi.quota_letter('E-CONV-02', 'free_quota_90', 'a', 16), kpi.plan('a', 'free', 'pro', 15),
    kpi.quota_letter('E-CONV-01', 'free_quota_80', 'b', 20), kpi.quota_letter('E-CONV-03', 'free_quota_reached', 'b', 12), kpi.plan('b', 'free', 'pro', 11),
    kpi.quota_letter('E-CONV-03', 'free_quota_reached', 'c', 10), kpi.plan('c', 'free', 'pro', 11), kpi.plan('c', 'pro', 'free', 10.5),
    kpi.quota_letter('E-CONV-01', 'free_quota_80', 'd', 3), kpi.plan('d', 'free', 'pro', 2),
    kpi.quota_letter('E-CONV-01', 'free_quota_80', 'e', 20, status => 'suppressed'), kpi.plan('e', 'free', 'pro', 19),
    kpi.quota_letter('E-CONV-01', 'free_quota_80', 'f', 39), kpi.quota_letter('E-CONV-02', 'free_quota_90', 'f', 38), kpi.plan('f', 'free', 'pro', 37),
    kpi.quota_letter('E-CONV-01', 'free_quota_80', 'g', 20), kpi.quota_letter('E-CONV-02', 'free_quota_90', 'g', 18), kpi.plan('g', 'free', 'pro', 10.5),
    kpi.quota_letter('E-CONV-01', 'free_quota_80', 'h', 12), kpi.quota_letter('E-CONV-02', 'free_quota_90', 'h', 4), kpi.plan('h', 'free', 'pro', 11);
select is(pg_temp.kpi('quota_email_to_upgrade'), '50.00 = 2/4, measured 4', 'quota_email_to_upgrade: within 7 days of any of the three');
savepoint t;
update email_deliveries set dedupe_key = replace(dedupe_key, ':2001-01', ':2001-02') where email_type = 'E-CONV-03' and project_id = kpi.id('b');
-- b's two letters apart: the first too late, the second reached: 2 of 5.
select is(pg_temp.kpi('quota_email_to_upgrade'), '40.00 = 2/5, measured 5', 'another month''s quota is another attempt');
rollback to t;
update email_deliveries set project_id = null;
select is(pg_temp.kpi('quota_email_to_upgrade'), '50.00 = 2/4, measured 4', 'a journal row without project_id is read by its key');
rollback to s;

-- alert_open_rate --------------------------------------------------------------------------------------------------------
-- Alert to   sent     consent   event            counts
-- ada        day 2    yes       opened, twice    sent, measured, opened
-- bob        day 2    yes       none             sent, measured
-- cyd        day 2    no        none             sent
-- dot        day 2    yes       opened, machine  sent, measured: nobody read it
-- eve        day 31   yes       opened           no, longer ago
-- fay        day 2    yes       failed           no, it was not sent
-- 1 opened of 4, of whom 3 could be measured: 1 of 3 = 33.33 %
select kpi.person('ada', 50, consent => true), kpi.person('bob', 50, consent => true), kpi.person('cyd', 50), kpi.person('dot', 50, consent => true),
    kpi.person('eve', 50, consent => true), kpi.person('fay', 50, consent => true);
select kpi.letter('E-ACT-05', who, 'critical_verdict_alert:' || gen_random_uuid(), day, status => status)
from (values ('ada', 2, 'sent'), ('bob', 2, 'sent'), ('cyd', 2, 'sent'), ('dot', 2, 'sent'), ('eve', 31, 'sent'), ('fay', 2, 'failed')) v (who, day, status);
select kpi.event('E-ACT-05', 'ada', 'opened', 1.9), kpi.event('E-ACT-05', 'ada', 'opened', 1.8), kpi.event('E-ACT-05', 'dot', 'opened', 1.99, '{"machine": true}'),
    kpi.event('E-ACT-05', 'eve', 'opened', 30.9);
select is(pg_temp.kpi('alert_open_rate'), '33.33 = 1/4, measured 3', 'alert_open_rate counts every alert sent, and is about those that could be measured');
savepoint t;
-- A copy to a contact without an account carries ada's id, not her consent; bob's, at his own address, has his.
select kpi.project('ada', 'a', 40);
insert into email_project_contacts (project_id, email, role, user_id) values (kpi.id('a'), 'Ops@example.com', 'on_call', null), (kpi.id('a'), 'bob@example.com', 'on_call', kpi.id('bob'));
select kpi.letter('E-ACT-05', 'ada', 'critical_verdict_alert:x:ops@example.com', 2), kpi.letter('E-ACT-05', 'bob', 'critical_verdict_alert:x:bob@example.com', 2);
select is(pg_temp.kpi('alert_open_rate'), '25.00 = 1/6, measured 4', 'consent is the recipient''s own');
rollback to t;
delete from email_preferences;
select is(pg_temp.kpi('alert_open_rate'), '50.00 = 1/4, measured 2', 'what is stored was measured, whatever the recipient says today');
delete from email_events;
select is(pg_temp.kpi('alert_open_rate'), 'null = 0/4, measured 0', 'nobody consented: not 0 %, but unknown');
rollback to t;
rollback to s;

-- reactivation_rate ------------------------------------------------------------------------------------------------------
-- User   letters                                  back                 counts
-- ada    RET-03 day 20                            login day 15         once, reached
-- bob    RET-03 day 24, RET-04 day 8 (one lapse)  login day 5          once, reached: 19 days after the first, 3 after the second
-- cyd    RET-04 J30 day 20, J37 day 13            deployment day 14    once, reached: 6 days after the first
-- dot    RET-03 day 20                            never                once
-- eve    RET-03 day 5                             login day 4          no, its 7 days are not over
-- fay    RET-03 day 34 and day 10 (two lapses)    login day 9          twice, one reached
-- gil    RET-04 J30 day 20, J37 day 13            login day 5.5        once, too late: 7.5 days after the second
-- hal    RET-03 day 22, RET-04 day 6 (one lapse)  login day 5          no, the 7 days of the second are not over
-- 4 of 7 = 57.14 %
select kpi.person(w, 200) from unnest('{ada,bob,cyd,dot,eve,fay,gil,hal}'::text[]) w;
select kpi.project('cyd', 'c', 190);
select kpi.lapse_letter('E-RET-03', 'ada', 34, 20), kpi.lapse_letter('E-RET-03', 'bob', 38, 24), kpi.lapse_letter('E-RET-04', 'bob', 38, 8, 'J30'),
    kpi.lapse_letter('E-RET-04', 'cyd', 50, 20, 'J30'), kpi.lapse_letter('E-RET-04', 'cyd', 50, 13, 'J37'), kpi.lapse_letter('E-RET-03', 'dot', 34, 20),
    kpi.lapse_letter('E-RET-03', 'eve', 19, 5), kpi.lapse_letter('E-RET-03', 'fay', 48, 34), kpi.lapse_letter('E-RET-03', 'fay', 24, 10),
    kpi.lapse_letter('E-RET-04', 'gil', 50, 20, 'J30'), kpi.lapse_letter('E-RET-04', 'gil', 50, 13, 'J37'), kpi.lapse_letter('E-RET-03', 'hal', 36, 22), kpi.lapse_letter('E-RET-04', 'hal', 36, 6, 'J30');
select kpi.login('ada', 15), kpi.login('bob', 5), kpi.deployment('c', 14), kpi.login('eve', 4), kpi.login('fay', 9), kpi.login('gil', 5.5), kpi.login('hal', 5);
select is(pg_temp.kpi('reactivation_rate'), '57.14 = 4/7, measured 7', 'reactivation_rate: within 7 days of any letter of the lapse');
rollback to s;

-- dunning_recovery_rate --------------------------------------------------------------------------------------------------
-- Invoice   failed            paid              counts
-- i1        day 20            day 18            yes, recovered
-- i2        day 20 and 17     never             once; given up on day 10
-- i3        day 15            day 3             yes, recovered: after the last reminder, but paid
-- i4        day 5             never             no, its reminders are not over
-- i5        day 5             day 4             yes, recovered: its dunning is over
-- i6        day 45            never             no, it was given up 35 days ago
-- i7        day 20            day 21            given up: that payment came before the failure
-- 3 of 5 = 60 %
select kpi.person('ada', 200), kpi.project('ada', 'a', 190, plan => 'pro');
select kpi.payment('failed', i, day) from (values ('i1', 20), ('i2', 20), ('i2', 17), ('i3', 15), ('i4', 5), ('i5', 5), ('i6', 45), ('i7', 20)) v (i, day);
select kpi.payment('succeeded', i, day) from (values ('i1', 18), ('i3', 3), ('i5', 4), ('i7', 21)) v (i, day);
select is(pg_temp.kpi('dunning_recovery_rate'), '60.00 = 3/5, measured 5', 'dunning_recovery_rate is per invoice');
savepoint t;
update email_types set params = '{"steps": {"J0": "0 days", "J3": "3 days"}}' where code = 'E-BILL-01';
select is(pg_temp.kpi('dunning_recovery_rate'), '50.00 = 3/6, measured 6', 'shorter reminders are over sooner: i4 counts');
rollback to t;
rollback to s;

-- The clock, the columns of the application, the rights -------------------------------------------------------------------
select kpi.person('ada', 0);
select is(pg_temp.kpi('activation_24h'), 'null = 0/0, measured 0', 'just signed up');
select fixture.move_clock('25 hours');
select is(pg_temp.kpi('activation_24h'), '0.00 = 0/1, measured 1', 'figures follow the clock of the rules');
select fixture.move_clock('0');
rollback to s;

select kpi.person('ada', 10), kpi.project('ada', 'a', 10);
alter table users rename column created_at to born_at;
select is(pg_temp.kpi('activation_24h'), 'null = 0/0, measured 0', 'a column of the application is gone: its KPI is unknown');
select is(pg_temp.kpi('first_deployment_72h'), '0.00 = 0/1, measured 1', 'and the others still answer');
select lives_ok($$ drop table deployment_verdicts, sdh_hints, metric_samples, scheduled_jobs, deployments cascade; select * from email_kpis; select * from email_type_kpis $$,
    'a missing table breaks neither');
rollback to s;

-- The first column of the first row, or the SQLSTATE, as seen by a role.
create function pg_temp.as_reader(query text) returns text
language plpgsql
as $$
declare
    answer text;
begin
    set local role email_reader;
    execute query into answer;
    reset role;
    return answer;
exception when others then
    reset role;
    return sqlstate;
end
$$;
select is(pg_temp.as_reader('select count(*) from public.email_kpis'), '7', 'email_reader reads the KPIs');
select is(pg_temp.as_reader('select count(distinct code) from public.email_type_kpis'), '22', 'and those of all 22 letters');
select is(pg_temp.as_reader('select count(*) from public.email_ab_results'), '0', 'and the subjects'' results');
select is(pg_temp.as_reader('select count(*) from public.users'), '42501', 'but no table of the application');
select is(pg_temp.as_reader($$ select count(*) from public.email_kpi_letters('{E-ACT-05}', now(), now()) $$), '42501', 'and nobody''s letters');
rollback to s;

-- SEQPULSE's own KPI queries, as they are, on our tables ------------------------------------------------------------------
select kpi.person('ada', 50, consent => true), kpi.person('bob', 50);
select kpi.letter('E-ACT-05', 'ada', 'k1', 2), kpi.letter('E-ACT-05', 'bob', 'k2', 3), kpi.letter('E-CONV-01', 'bob', 'k3', 3), kpi.letter('E-TRX-01', 'bob', 'k4', 3, status => 'failed');
select kpi.event('E-ACT-05', 'ada', 'opened', 1);
select results_eq(
    $$ select email_type, count(*) from email_deliveries where status = 'sent' and sent_at >= now() - interval '30 days' group by email_type order by email_type $$,
    $$ values ('E-ACT-05'::varchar, 2::bigint), ('E-CONV-01', 1) $$, 'SEQPULSE counts what was sent');
select results_eq(
    $$ select count(distinct e.email_delivery_id), count(distinct d.id)
       from email_deliveries d left join email_events e on e.email_delivery_id = d.id and e.event_type = 'opened'
       where d.email_type = 'E-ACT-05' and d.status = 'sent' and d.sent_at >= now() - interval '30 days' $$,
    $$ values (1::bigint, 2::bigint) $$, 'SEQPULSE counts what was opened');
select is(pg_temp.kpi('alert_open_rate'), '100.00 = 1/2, measured 1', 'and comes to the same; the rate is of those measured');
rollback to s;

select finish();
rollback;
