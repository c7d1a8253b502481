-- Each letter's own KPI, the holdout and the subjects' results, on small data sets whose results are worked out beside them.
--
-- "day 10" is ten days before now.
begin;
\ir support/fixtures.sql
\ir support/kpis.sql
select plan(43);

create function pg_temp.kpi(of_code text, name text) returns text
language sql
as $$
select format('%s = %s/%s, measured %s', coalesce(k.value::text, 'null'), k.numerator, k.denominator, k.measured)
from public.email_type_kpis k where k.code = of_code and k.kpi = name
$$;

select set_eq($$ select code from email_type_kpis $$, $$ select code from email_types $$, 'every letter of the catalogue has a KPI');
select is((select count(*) from email_type_kpis where value is not null or measured <> 0 or lift is not null), 0::bigint, 'nothing has happened: nothing is measured');
savepoint s;

-- E-TRX-01, E-ACT-01: a project within 24 hours of the sign-up ---------------------------------------------------------------
-- User   signed up   E-TRX-01   E-ACT-01            project after
-- ada    day 10      at once    2 hours             3 hours    both reached
-- bob    day 10      at once    2 hours             30 hours   both too late
-- cyd    day 10      at once    (has one)           1 hour     E-TRX-01 reached
-- dot    day 0.5     at once    2 hours             3 hours    neither is over
-- E-TRX-01 2 of 3, E-ACT-01 1 of 2
select kpi.person('ada', 10), kpi.person('bob', 10), kpi.person('cyd', 10), kpi.person('dot', 0.5);
select kpi.project('ada', 'a', 10, '3 hours'), kpi.project('bob', 'b', 10, '30 hours'), kpi.project('cyd', 'c', 10, '1 hour'), kpi.project('dot', 'd', 0.5, '3 hours');
select kpi.letter('E-TRX-01', who, 'welcome_signup:' || kpi.id(who), day) from (values ('ada', 10), ('bob', 10), ('cyd', 10), ('dot', 0.5)) v (who, day);
select kpi.letter('E-ACT-01', who, 'no_project_after_signup:' || kpi.id(who), day - 2 / 24.0) from (values ('ada', 10), ('bob', 10), ('dot', 0.5)) v (who, day);
select is(pg_temp.kpi('E-TRX-01', 'project_created_24h'), '66.67 = 2/3, measured 3', 'E-TRX-01');
select is(pg_temp.kpi('E-ACT-01', 'project_created_24h'), '50.00 = 1/2, measured 2', 'E-ACT-01');
savepoint t;
-- Held out: eve made her project before the letter would have gone out, so she is no case; fay and gil never did, hal did after 5 hours.
-- Holdout 1 of 3 = 33.33 %; lift 50 - 33.33 = 16.67 points.
select kpi.person('eve', 10), kpi.person('fay', 10), kpi.person('gil', 10), kpi.person('hal', 10);
select kpi.project('eve', 'e', 10, '1 hour'), kpi.project('hal', 'h', 10, '5 hours');
select kpi.letter('E-ACT-01', who, 'no_project_after_signup:' || kpi.id(who), 10 - 2 / 24.0, null, 'suppressed', 'holdout') from unnest('{eve,fay,gil,hal}'::text[]) who;
-- Somebody else's reason is no holdout.
select kpi.person('ivy', 10), kpi.letter('E-ACT-01', 'ivy', 'no_project_after_signup:ivy', 9.9, null, 'suppressed', 'expired');
select is((select format('%s = %s/%s, lift %s', holdout_value, holdout_numerator, holdout_denominator, lift) from email_type_kpis where code = 'E-ACT-01'),
    '33.33 = 1/3, lift 16.67', 'the holdout is compared on equal terms');
-- Wilson: 1/2 is 9.45 to 90.55, 1/3 is 6.15 to 79.23. Newcombe: 16.67 -/+ sqrt(40.55^2 + 45.90^2) and sqrt(40.55^2 + 27.18^2).
select is((select format('%s to %s', lift_low, lift_high) from email_type_kpis where code = 'E-ACT-01'), '-44.58 to 65.48', 'so few prove nothing');
rollback to t;
select is((select holdout_value from email_type_kpis where code = 'E-ACT-01'), null, 'without a holdout there is no lift');
rollback to s;

-- E-TRX-02: accepted within seven days of the first letter ------------------------------------------------------------------
-- i1 letters day 20 and 18, accepted day 17; i2 letter day 20, accepted day 12 (too late); i3 letter day 20, revoked; i4 letter day 3
-- 1 of 3
select kpi.person('ada', 50);
select kpi.letter('E-TRX-02', 'ada', 'invitation:' || i || ':' || step, day)
from (values ('i1', 'J0', 20), ('i1', 'J2', 18), ('i2', 'J0', 20), ('i3', 'J0', 20), ('i4', 'J0', 3)) v (i, step, day);
select fixture.signal('invitation_' || what, null, null, jsonb_build_object('invitation_id', i), kpi.day(day))
from (values ('accepted', 'i1', 17), ('accepted', 'i2', 12), ('revoked', 'i3', 19), ('accepted', 'i4', 2)) v (what, i, day);
select is(pg_temp.kpi('E-TRX-02', 'invitation_accepted_7d'), '33.33 = 1/3, measured 3', 'E-TRX-02');
rollback to s;

-- E-SEC-01: from off to on again ------------------------------------------------------------------------------------------------
-- ada off day 20, on three hours later; bob off day 20, on two hours later; cyd off day 20, on day 10 (too late); dot on day 20;
-- eve off day 20, on an hour later: she changed the device, and is no case
-- 2 of 3; median of 180 and 120 minutes = 150
select kpi.person(w, 50) from unnest('{ada,bob,cyd,dot,eve}'::text[]) w;
select kpi.letter('E-SEC-01', who, format('twofa_changed:%s:%s:%s', kpi.id(who), what, (day * 1000)::bigint), day)
from (values ('ada', 'off', 20), ('ada', 'on', 20 - 3 / 24.0), ('bob', 'off', 20), ('bob', 'on', 20 - 2 / 24.0), ('cyd', 'off', 20), ('cyd', 'on', 10), ('dot', 'on', 20),
    ('eve', 'off', 20), ('eve', 'on', 20 - 1 / 24.0)) v (who, what, day);
select is(pg_temp.kpi('E-SEC-01', 'reaction_time'), '150.00 = 2/3, measured 3', 'E-SEC-01, in minutes, without who changed the device');
update email_deliveries set created_at = created_at + interval '1 second' where dedupe_key like '%:' || kpi.id('eve') || ':on:%';
select is(pg_temp.kpi('E-SEC-01', 'reaction_time'), '120.00 = 3/4, measured 4', 'a second later she is a case: the median of 60, 120 and 180 minutes');
select is((select unit from email_type_kpis where code = 'E-SEC-01'), 'minutes', 'and says so');
rollback to s;

-- E-SEC-02: what people said of their logins ------------------------------------------------------------------------------------
-- Login 1 confirmed, 2 confirmed and then disowned, 3 disowned, 4 confirmed; 5 confirmed 31 days ago, which is too long ago; 6 not answered.
-- Confirmed: 1 and 4, 2 of 4; reported: 2 and 3, 2 of 4.
select kpi.person('ada', 50, consent => true);
select kpi.letter('E-SEC-02', 'ada', 'suspicious_login:' || n, 2) from generate_series(1, 6) n;
select is(pg_temp.kpi('E-SEC-02', 'confirmed_rate'), 'null = 0/0, measured 0', 'E-SEC-02: before anybody answers nothing is known');
select fixture.signal('login_' || what, kpi.id('ada'), null, jsonb_build_object('signal_id', n), kpi.day(day))
from (values ('confirmed', 1, 2), ('confirmed', 2, 2), ('disowned', 2, 1), ('disowned', 3, 2), ('confirmed', 4, 1), ('confirmed', 5, 31)) v (what, n, day);
select is(pg_temp.kpi('E-SEC-02', 'confirmed_rate'), '50.00 = 2/4, measured 4', 'E-SEC-02: confirmed, of those answered');
select is(pg_temp.kpi('E-SEC-02', 'reported_rate'), '50.00 = 2/4, measured 4', 'E-SEC-02: reported, which outweighs a confirmation');
rollback to s;

-- E-BILL-02: no source ------------------------------------------------------------------------------------------------------
select kpi.person('ada', 50, consent => true), kpi.letter('E-BILL-02', 'ada', 'payment_succeeded:1', 2);
select is(pg_temp.kpi('E-BILL-02', 'billing_tickets'), 'null = 0/0, measured 0', 'E-BILL-02: nobody tells about tickets');
rollback to s;

-- E-ACT-02: a first deployment within 72 hours of the project -----------------------------------------------------------------
-- Projects of day 10, letters of day 9: a deploys on day 8.5 (reached), b on day 6 (too late), c never, d deployed before the letter (no case)
-- 1 of 3
select kpi.person('ada', 50), kpi.project('ada', 'a', 10), kpi.project('ada', 'b', 10), kpi.project('ada', 'c', 10), kpi.project('ada', 'd', 10);
select kpi.letter('E-ACT-02', 'ada', 'no_deployment_after_project:' || kpi.id(p), 9, p) from unnest('{a,b,c,d}'::text[]) p;
select kpi.deployment('a', 8.5), kpi.deployment('b', 6), kpi.deployment('d', 9.5);
select is(pg_temp.kpi('E-ACT-02', 'first_deployment_72h'), '33.33 = 1/3, measured 3', 'E-ACT-02');
update email_deliveries set project_id = null;
select is(pg_temp.kpi('E-ACT-02', 'first_deployment_72h'), '33.33 = 1/3, measured 3', 'also by the key');
rollback to s;

-- E-ACT-03: finished within seven days of the letter (fixture: five minutes after the start) -----------------------------------
-- Letters of day 20: a finishes one on day 15, b on day 12 (too late), c never: 1 of 3
select kpi.person('ada', 50), kpi.project('ada', 'a', 30), kpi.project('ada', 'b', 30), kpi.project('ada', 'c', 30);
select kpi.letter('E-ACT-03', 'ada', 'deployment_never_finished:' || kpi.id(p), 20, p) from unnest('{a,b,c}'::text[]) p;
select kpi.deployment('a', 22), kpi.deployment('a', 15, 'finished'), kpi.deployment('b', 12, 'finished'), kpi.deployment('c', 22);
select is(pg_temp.kpi('E-ACT-03', 'deployment_finished_7d'), '33.33 = 1/3, measured 3', 'E-ACT-03');
rollback to s;

-- E-ACT-04, E-ADV-02: opens and clicks ------------------------------------------------------------------------------------------
-- ada consents, opened and clicked; bob consents; cyd does not: opened 1, clicked 1 of 3, of whom 2 could be measured: 50 %
select kpi.person('ada', 50, consent => true), kpi.person('bob', 50, consent => true), kpi.person('cyd', 50);
select kpi.letter(code, who, code || who, 2) from unnest('{ada,bob,cyd}'::text[]) who, unnest('{E-ACT-04,E-ADV-02}'::text[]) code;
select kpi.event('E-ACT-04', 'ada', 'opened', 1), kpi.event('E-ACT-04', 'ada', 'clicked', 1), kpi.event('E-ACT-04', 'bob', 'clicked', 1, '{"machine": true}'), kpi.event('E-ADV-02', 'bob', 'clicked', 1);
select is(pg_temp.kpi('E-ACT-04', 'open_rate'), '50.00 = 1/3, measured 2', 'E-ACT-04 opened');
select is(pg_temp.kpi('E-ACT-04', 'click_rate'), '50.00 = 1/3, measured 2', 'E-ACT-04 clicked');
select is(pg_temp.kpi('E-ADV-02', 'review_click_rate'), '50.00 = 1/3, measured 2', 'E-ADV-02');
rollback to s;

-- E-ACT-05 -------------------------------------------------------------------------------------------------------------------
-- Deployment   alert            viewed        next "ok" of the environment
-- 1 (prod)     day 10, a copy   30 min later  2 hours later                   time to read 30, to recover 120
-- 2 (prod)     day 9            90 min later  8 days later (too late)         time to read 90
-- 3 (staging)  day 9            2 days later  none in staging                 neither
-- 4 (prod)     day 0.5          10 min later                                  not over
-- Read: 2 of 3, median of 30 and 90 = 60. Recovered: 1 of 3, 120.
select kpi.person('ada', 50), kpi.project('ada', 'a', 30);
create temp table bad on commit drop as
select v.*, kpi.deployment('a', v.day + 0.01, 'analyzed', v.env) as id from (values (1, 'prod', 10.0), (2, 'prod', 9.0), (3, 'staging', 9.0), (4, 'prod', 0.5)) v (number, env, day);
select kpi.letter('E-ACT-05', 'ada', 'critical_verdict_alert:' || id, day, 'a') from bad;
select kpi.letter('E-ACT-05', 'ada', 'critical_verdict_alert:' || id || ':ops@example.com', day - 0.001, 'a') from bad where number = 1;
select fixture.signal('verdict_viewed', kpi.id('ada'), null, jsonb_build_object('deployment_id', b.id), kpi.day(b.day) + v.after)
from bad b join (values (1, interval '30 minutes'), (1, interval '50 minutes'), (2, '90 minutes'), (3, '2 days'), (4, '10 minutes')) v (number, after) using (number);
insert into deployment_verdicts (deployment_id, verdict, confidence, created_at)
select kpi.deployment('a', day, 'analyzed', env), 'ok', 0.9, kpi.day(day) from (values (10 - 2 / 24.0, 'prod'), (1.0, 'prod')) v (day, env);
select is(pg_temp.kpi('E-ACT-05', 'time_to_first_useful_read'), '60.00 = 2/3, measured 3', 'E-ACT-05: from the alert to the verdict, in minutes');
select is(pg_temp.kpi('E-ACT-05', 'mttr'), '120.00 = 1/3, measured 3', 'E-ACT-05: from the alert to the next good release, in minutes');
rollback to s;

-- E-CONV-01 to E-CONV-05 ------------------------------------------------------------------------------------------------------
-- Letters of day 20 (E-CONV-05: day 40) to a, b, c, d, and the upgrades:
-- a day 19.5: in time for all; day 15 for b: for all but E-CONV-03; c never; d day 12: too late for all
-- E-CONV-02: a was refused a deployment on day 19.8, before its upgrade: only b
-- E-CONV-05: upgrades within 30 days count: a and b and d, 3 of 4
select kpi.person('ada', 90), kpi.project('ada', 'a', 60), kpi.project('ada', 'b', 60), kpi.project('ada', 'c', 60), kpi.project('ada', 'd', 60);
select kpi.quota_letter(code, code, p, case code when 'E-CONV-05' then 40 else 20 end) from unnest('{a,b,c,d}'::text[]) p, unnest('{E-CONV-01,E-CONV-02,E-CONV-03,E-CONV-04,E-CONV-05}'::text[]) code;
select kpi.plan('a', 'free', 'pro', 19.5), kpi.plan('b', 'free', 'pro', 15), kpi.plan('d', 'free', 'pro', 12);
select fixture.signal('quota_refused', null, kpi.id('a'), '{}', kpi.day(19.8));
insert into email_preferences (user_id, tracking_consent) values (kpi.id('ada'), true);
insert into email_events (email_delivery_id, event_type, occurred_at) select id, 'clicked', sent_at from email_deliveries where email_type = 'E-CONV-04' and project_id in (kpi.id('a'), kpi.id('c'));
select is(pg_temp.kpi('E-CONV-01', 'upgrade_7d'), '50.00 = 2/4, measured 4', 'E-CONV-01');
select is(pg_temp.kpi('E-CONV-02', 'upgrade_before_limit_7d'), '25.00 = 1/4, measured 4', 'E-CONV-02');
select is(pg_temp.kpi('E-CONV-03', 'upgrade_24h'), '25.00 = 1/4, measured 4', 'E-CONV-03');
select is(pg_temp.kpi('E-CONV-04', 'upgrade_7d'), '50.00 = 2/4, measured 4', 'E-CONV-04');
select is(pg_temp.kpi('E-CONV-04', 'click_to_upgrade_7d'), '50.00 = 1/2, measured 2', 'E-CONV-04, of those who clicked');
select is(pg_temp.kpi('E-CONV-05', 'upgrade_30d'), '75.00 = 3/4, measured 4', 'E-CONV-05');
savepoint t;
-- Held out: e upgraded after it (day 18), f had upgraded already (day 21): one case, reached.
select kpi.project('ada', 'e', 60), kpi.project('ada', 'f', 60);
select kpi.quota_letter('E-CONV-01', 'E-CONV-01', p, 20, 'suppressed', 'holdout') from unnest('{e,f}'::text[]) p;
select kpi.plan('e', 'free', 'pro', 18), kpi.plan('f', 'free', 'pro', 21);
select is((select format('%s/%s, lift %s', holdout_numerator, holdout_denominator, lift) from email_type_kpis where code = 'E-CONV-01'), '1/1, lift -50.00', 'E-CONV-01''s holdout');
rollback to t;
update email_deliveries set project_id = null where email_type = 'E-CONV-04';
select is(pg_temp.kpi('E-CONV-04', 'upgrade_7d'), '100.00 = 4/4, measured 4', 'E-CONV-04 without a project: any of the user''s');
rollback to s;

-- E-RET-01 to E-RET-04 --------------------------------------------------------------------------------------------------------
-- E-RET-01 to ada and bob, both on day 20 and day 13: ada logs in on day 15 and 10 (both), bob on day 18 (the first): 3 of 4
select kpi.person(w, 200) from unnest('{ada,bob,cyd}'::text[]) w;
select kpi.letter('E-RET-01', who, format('weekly_usage:%s:2001-W%s', kpi.id(who), day), day) from unnest('{ada,bob}'::text[]) who, unnest('{20,13}'::integer[]) day;
select kpi.login('ada', 15), kpi.login('ada', 10), kpi.login('bob', 18);
select is(pg_temp.kpi('E-RET-01', 'weekly_return'), '75.00 = 3/4, measured 4', 'E-RET-01');
rollback to s;
-- E-RET-03 of day 20: ada back on day 15, bob never, cyd on day 10 (too late): 1 of 3
-- E-RET-04 J30 of day 20 and J37 of day 13: ada back on day 15, bob never, cyd on day 10, 3 days after the second: 2 of 3. Unsubscribed: bob by a
-- letter's link, cyd in her preferences on day 12: of 6 letters the two to bob that carry the event, and cyd's of day 13
select kpi.person(w, 200) from unnest('{ada,bob,cyd}'::text[]) w;
select kpi.lapse_letter('E-RET-03', w, 34, 20), kpi.lapse_letter('E-RET-04', w, 50, 20, 'J30'), kpi.lapse_letter('E-RET-04', w, 50, 13, 'J37') from unnest('{ada,bob,cyd}'::text[]) w;
select kpi.login('ada', 15), kpi.login('cyd', 10), kpi.event('E-RET-04', 'bob', 'unsubscribed', 12);
insert into email_preferences (user_id, marketing_opt_in, updated_at) values (kpi.id('cyd'), false, kpi.day(12));
select is(pg_temp.kpi('E-RET-03', 'return_14_to_21d'), '33.33 = 1/3, measured 3', 'E-RET-03');
select is(pg_temp.kpi('E-RET-04', 'win_back_7d'), '66.67 = 2/3, measured 3', 'E-RET-04, per lapse: within 7 days of either letter');
select is(pg_temp.kpi('E-RET-04', 'unsubscribe_rate'), '50.00 = 3/6, measured 6', 'E-RET-04, who left by the link');
savepoint t;
-- Held out from E-RET-03: eve came back after it, fay the day before it: one case, reached.
select kpi.person('eve', 200), kpi.person('fay', 200), kpi.lapse_letter('E-RET-03', 'eve', 34, 20, null, 'suppressed', 'holdout'), kpi.lapse_letter('E-RET-03', 'fay', 34, 20, null, 'suppressed', 'holdout');
select kpi.login('eve', 19), kpi.login('fay', 21);
select is((select format('%s/%s', holdout_numerator, holdout_denominator) from email_type_kpis where code = 'E-RET-03'), '1/1', 'E-RET-03''s holdout: who came back before is no case');
rollback to t;
rollback to s;
-- E-RET-02 of day 20. Deployments in the seven days before and after: a 1 and 2, b 2 and 2, c 0 and 0: 1 of 3
select kpi.person('ada', 200), kpi.project('ada', 'a', 60), kpi.project('ada', 'b', 60), kpi.project('ada', 'c', 60);
select kpi.letter('E-RET-02', 'ada', format('activity_drop:%s:2001-W01', kpi.id(p)), 20, p) from unnest('{a,b,c}'::text[]) p;
select kpi.deployment(p, day) from (values ('a', 22), ('a', 18), ('a', 17), ('a', 12), ('b', 22), ('b', 21), ('b', 18), ('b', 17), ('b', 29)) v (p, day);
select is(pg_temp.kpi('E-RET-02', 'reactivation_7d'), '33.33 = 1/3, measured 3', 'E-RET-02');
rollback to s;

-- E-BILL-01: i1 written to and paid, i2 written to and not, i3 never written to (and paid): 1 of 2 ------------------------------
select kpi.person('ada', 200), kpi.project('ada', 'a', 190, plan => 'pro');
select kpi.payment('failed', i, 20), kpi.letter('E-BILL-01', 'ada', 'payment_failed:' || i || ':' || case i when 'i3' then 'other' else 'J3' end, 17, 'a') from unnest('{i1,i2,i3}'::text[]) i;
select kpi.payment('succeeded', i, 16) from unnest('{i1,i3}'::text[]) i;
select is(pg_temp.kpi('E-BILL-01', 'recovery_rate'), '50.00 = 1/2, measured 2', 'E-BILL-01');
rollback to s;

-- E-ADV-01: ada answers 10 two days after, bob 9 and cyd 3 too late, dot 7 unasked; a score that is none counts nowhere -------
-- Responses 1 of 3; score (2 promoters - 1 detractor) of 4 answers = 25
select kpi.person(w, 200) from unnest('{ada,bob,cyd,dot}'::text[]) w;
select kpi.letter('E-ADV-01', w, 'nps_survey:' || kpi.id(w) || ':30d', 20) from unnest('{ada,bob,cyd}'::text[]) w;
select fixture.signal('nps_answered', kpi.id(w), null, jsonb_build_object('score', score), kpi.day(day))
from (values ('ada', '10', 18), ('bob', '9', 10), ('cyd', '3', 10), ('dot', '7', 5), ('dot', '11', 4), ('dot', 'ten', 4)) v (w, score, day);
select is(pg_temp.kpi('E-ADV-01', 'response_rate'), '33.33 = 1/3, measured 3', 'E-ADV-01: who answered');
select is(pg_temp.kpi('E-ADV-01', 'nps_score'), '25.00 = 1/4, measured 4', 'E-ADV-01: the score');
rollback to s;

-- email_ab_results -------------------------------------------------------------------------------------------------------------
-- E-CONV-01: variant A 10 letters, 8 clicked; B 10 letters, none clicked, 2 of 5 who consent opened; own subject 1 letter.
-- E-RET-03 has no variants.
insert into email_subject_variants (email_type, variant, subject) values ('E-CONV-01', 'A', 'Sujet A'), ('E-CONV-01', 'B', 'Sujet B');
select kpi.person('u' || i, 50, consent => i between 11 and 15), kpi.letter('E-CONV-01', 'u' || i, 'k' || i, 2) from generate_series(1, 21) i;
select kpi.letter('E-RET-03', 'u1', 'k22', 2);
update email_deliveries set variant = case when substr(dedupe_key, 2)::integer <= 10 then 'A' when substr(dedupe_key, 2)::integer <= 20 then 'B' end;
select kpi.event('E-CONV-01', 'u' || i, 'clicked', 1) from generate_series(1, 8) i;
select kpi.event('E-CONV-01', 'u' || i, 'opened', 1) from generate_series(11, 12) i;
select results_eq(
    $$ select email_type, variant, sent, measured, clicks, opens, rate, rate_low, rate_high, open_rate from email_ab_results $$,
    $$ values ('E-CONV-01', null, 1::bigint, 0::bigint, 0::bigint, 0::bigint, 0.00, 0.00, 79.35, null),
        ('E-CONV-01', 'A', 10, 8, 8, 0, 80.00, 49.02, 94.33, 0.00),
        ('E-CONV-01', 'B', 10, 5, 0, 2, 0.00, 0.00, 27.75, 40.00) $$,
    'letters, clicks and opens per subject, with Wilson''s intervals');
rollback to s;

-- The arithmetic, against published values --------------------------------------------------------------------------------------
select results_eq($$ select round(w.low, 2), round(w.high, 2) from (values (8, 10), (0, 10), (10, 10), (1, 1000)) v (k, n) cross join lateral email_wilson(v.k, v.n) w $$,
    $$ values (49.02, 94.33), (0.00, 27.75), (72.25, 100.00), (0.02, 0.56) $$, 'Wilson''s interval');
select results_eq($$ select * from email_lift(56, 70, 48, 80) $$, $$ values (20.00, 5.24, 33.39) $$, 'Newcombe''s own example: 56/70 against 48/80');

select finish();
rollback;
