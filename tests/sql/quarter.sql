-- A quarter of 100 people in eight time zones, across the clock changes of both hemispheres: what they do is made up by dice,
-- what they are sent is held against the facts.  Not one transaction: each step commits, as a sidecar does.
\ir support/scans.sql
set client_min_messages = error;
select plan(33);
\ir support/quarter.sql
select email_arm();
update email_types set active_since = (select starts from sim.bounds);
select pg_temp.at((select starts from sim.bounds));
update email_schedules set last_success_at = null;
call sim.run();

-- Nothing went wrong -------------------------------------------------------------------------------------------------------
select is_empty('select source, email_type, error from email_trigger_errors', 'no trigger failed');
select is_empty('select name, last_error from email_schedules where last_error is not null', 'no schedule failed');
select is_empty($$ select email_type, dedupe_key, last_error from email_outbox where status = 'failed' $$, 'no letter lacked what it needs');
select is_empty('select code, paused_reason from email_types where paused_at is not null', 'no scan found a blast');
select cmp_ok((select count(*) from sim.sent), '>', 1500::bigint, 'people were written to');
select is((select string_agg(t.code, ' ' order by t.code) from email_types t where not exists (select from sim.sent s where s.email_type = t.code)), null, 'with every one of the 22 letters');

-- Once, and true -----------------------------------------------------------------------------------------------------------
select is_empty('select key from sim.sent group by key having count(*) > 1', 'no key was sent twice');
select is_empty('select dedupe_key from email_deliveries group by dedupe_key having count(*) > 1', 'the journal has no key twice');
select is_empty($$ select s.key, s.at, s.untrue from sim.sent s where s.untrue is not null order by s.at $$, 'nothing untrue was sent, and every figure was right');
select is_empty($$ select key, run_at, at from sim.sent where run_at > at $$, 'nothing was sent before its time');
select is_empty($$ select key from sim.sent s join sim.bounds b on s.run_at < b.starts $$, 'nothing was written about the past');

select is_empty(
    $$ select e.recipient, e.key, e.at, l.key, l.at from sim.sent e join sim.sent l on l.recipient = e.recipient and l.capped and e.capped
       and (l.at, l.id) > (e.at, e.id) and l.at < e.at + interval '24 hours' and l.category = e.category $$,
    'nobody got two capped letters of a category within a day'
);
select is_empty('select * from email_cap_violations', 'and the journal proves it');
select is_empty(
    $$ select s.key, s.run_at, s.at from sim.sent s where s.email_type in ('E-ACT-04', 'E-CONV-03') and s.at - s.run_at >= interval '2 hours' $$,
    'what answers the person at once waited for no slot: it left at the next step'
);

-- What a person got in the weeks they were there.
create view sim.weekly as
select p.id as person, w.monday, (select count(*) from sim.sent s where s.recipient = lower(u.email) and s.at >= w.monday and s.at < w.monday + interval '7 days') as letters
from sim.people p
join public.users u on u.id = p.id
cross join sim.bounds b
cross join generate_series(b.starts, b.ends - interval '7 days', interval '7 days') w (monday)
where p.joined < w.monday + interval '7 days' and (p.closes is null or p.closes > w.monday);
select diag(format('letters per person and week: median %s, p95 %s, most %s', percentile_disc(0.5) within group (order by letters),
    percentile_disc(0.95) within group (order by letters), max(letters))) from sim.weekly;
-- Alerts of critical verdicts are most of what the busiest got; a rule that writes more must say so here.
select ok(percentile_disc(0.5) within group (order by letters) <= 3 and percentile_disc(0.95) within group (order by letters) <= 8 and max(letters) <= 16,
    'half of the people got at most 3 letters a week, 95 % at most 8, nobody more than 16')
from sim.weekly;

-- Local times ----------------------------------------------------------------------------------------------------------------
select is_empty(
    $$ select d.dedupe_key, o.due_at at time zone p.clock from email_deliveries d join email_outbox o on o.id = d.outbox_id join sim.people p on p.id = d.user_id
       where d.email_type = 'E-RET-01' and to_char(o.due_at at time zone p.clock, 'ID HH24:MI:SS.US') <> '1 08:00:00.000000' $$,
    'every weekly report is due on a Monday at 08:00:00 on the reader''s wall'
);
select is_empty(
    $$ select s.key from sim.sent s join sim.people p on p.id = s.person where s.email_type = 'E-RET-01'
       and to_char((s.run_at at time zone p.clock) - interval '7 days', 'IYYY-"W"IW') <> split_part(s.key, ':', 3) $$,
    'and is about the week before'
);
select is_empty(
    $$ select s.key, s.run_at from sim.sent s join sim.people p on p.id = s.person where s.email_type = 'E-CONV-05'
       and s.run_at <> greatest(((split_part(s.key, ':', 3) || '-01')::date + interval '1 month 9 hours') at time zone p.clock, ((split_part(s.key, ':', 3) || '-01')::date + interval '1 month') at time zone 'UTC') $$,
    'every monthly report on the 1st at 09:00 there, or when the UTC month was over'
);
select is((select count(distinct p.clock) from sim.sent s join sim.people p on p.id = s.person where s.email_type = 'E-RET-01'), 8::bigint, 'in eight zones');

-- Whatever was enqueued, also what still waits.
create view sim.known as select dedupe_key from email_outbox union select dedupe_key from email_deliveries;

-- Nobody was forgotten ---------------------------------------------------------------------------------------------------------
-- Only where the answer does not hang on what happened within a few hours of the scan.
select is_empty(
    $$ select p.n, w.week from sim.people p cross join sim.bounds b
       cross join lateral (
           select distinct date_trunc('week', a.at at time zone p.clock) as monday
           from (select d.started_at from public.deployments d join sim.projects o on o.id = d.project_id where o.owner = p.id
                 union all select l.at from sim.plan l where l.kind = 'looks' and l.person = p.id) a (at)
       ) m
       cross join lateral (select to_char(m.monday, 'IYYY-"W"IW') as week) w
       where (m.monday + interval '7 days 8 hours') at time zone p.clock between b.starts and b.ends - interval '3 hours'
       and (p.closes is null or p.closes > (m.monday + interval '8 days') at time zone p.clock)
       and not exists (select from sim.known d where d.dedupe_key = format('weekly_usage:%s:%s', p.id, w.week)) $$,
    'everybody who deployed or looked at a verdict in a week has its report'
);
select is_empty(
    $$ select o.n, m.month from sim.projects p join sim.people o on o.id = p.owner
       cross join lateral (select distinct to_char(d.started_at, 'YYYY-MM') as month from public.deployments d where d.project_id = p.id) m
       where m.month between '2026-02' and '2026-04' and p.plan = 'free' and p.upgrades is null and o.closes is null
       and not exists (select from sim.known d where d.dedupe_key = format('monthly_value_report:%s:%s', o.id, m.month)) $$,
    'the owner of every free project that deployed in a month has its report'
);
create view sim.gaps as
select a.person, a.at as since, coalesce(lead(a.at) over (partition by a.person order by a.at), b.ends) as until
from sim.acts a cross join sim.bounds b;
select is_empty(
    $$ select p.n, g.since from sim.gaps g join sim.people p on p.id = g.person cross join sim.bounds b
       where g.since + interval '14 days' >= b.starts and g.until >= g.since + interval '15 days 4 hours' and p.closes is null
       and not exists (select from sim.known d where d.dedupe_key = format('inactive_14d:%s:%s', p.id, g.since::date)) $$,
    'everybody who was away for 14 days was written to, or not for a reason that is on record'
);
select is_empty(
    $$ select p.n, g.since, s.step from sim.gaps g join sim.people p on p.id = g.person cross join sim.bounds b cross join unnest(array['J30', 'J37']) s (step)
       where g.since + interval '30 days' >= b.starts and g.until >= g.since + interval '31 days 4 hours' and p.closes is null
       and not exists (select from sim.known d where d.dedupe_key = format('inactive_30d:%s:%s:%s', p.id, g.since::date, s.step)) $$,
    'everybody who was away for 30 days has both steps'
);
select is_empty(
    $$ select p.n, m.month from sim.projects p join sim.people o on o.id = p.owner cross join sim.bounds b
       cross join lateral (
           select to_char(d.started_at, 'YYYY-MM') as month, (array_agg(d.started_at order by d.started_at))[40] as reached, (array_agg(d.started_at order by d.started_at))[45] as passed
           from public.deployments d where d.project_id = p.id group by 1) m
       where p.plan = 'free' and p.upgrades is null and o.closes is null
       and m.reached between b.starts and b.ends - interval '3 hours' and m.passed is distinct from null and m.passed > m.reached + interval '3 hours'
       and to_char(m.reached + interval '3 hours', 'YYYY-MM') = m.month
       and not exists (select from sim.known d where d.dedupe_key = format('free_quota_80:%s:%s', p.id, m.month)) $$,
    'every free project that reached 40 deployments in a month was told'
);
select is_empty(
    $$ with weeks as (
           select p.owner, p.n, p.clock, w.monday,
               (select count(*) from public.deployments d where d.project_id = p.id and d.started_at at time zone p.clock >= w.monday - interval '7 days' and d.started_at at time zone p.clock < w.monday) as before,
               (select count(*) from public.deployments d where d.project_id = p.id and d.started_at at time zone p.clock >= w.monday and d.started_at at time zone p.clock < w.monday + interval '7 days') as week,
               (select count(*) from public.deployments d where d.project_id = p.id and d.started_at at time zone p.clock >= w.monday + interval '7 days' and d.started_at at time zone p.clock < w.monday + interval '9 days') as after
           from sim.projects p join sim.people o on o.id = p.owner and o.closes is null
           cross join generate_series(timestamp '2026-02-16', '2026-05-04', interval '7 days') w (monday))
       select n, monday, before, week from weeks
       where before >= 4 and week * 2 <= before and after = 0
       and not exists (select from sim.known d where d.dedupe_key = format('activity_drop:%s:%s', weeks.owner, to_char(weeks.monday, 'IYYY-"W"IW'))) $$,
    'every project whose activity halved, and stayed low for two days, was noticed'
);

-- Sequences ended rightly --------------------------------------------------------------------------------------------------------
select is_empty(
    $$ select o.dedupe_key, o.due_at, o.run_at from email_outbox o join email_types t on t.code = o.email_type cross join sim.bounds b
       where o.status in ('queued', 'sending') and o.due_at + t.expires_after + interval '2 hours' < b.ends $$,
    'nothing waits longer than it may'
);
select is_empty(
    $$ select o.dedupe_key, o.status, d.status, o.reason, d.payload_json ->> 'reason' from email_outbox o left join email_deliveries d on d.dedupe_key = o.dedupe_key
       where o.finished_at is not null and (o.status is distinct from d.status or o.status = 'suppressed' and o.reason is distinct from d.payload_json ->> 'reason') $$,
    'every row that ended has its one reason in the journal'
);
select is_empty(
    $$ select e.key, e.at, l.key, l.at from sim.sent e join sim.sent l on l.email_type = e.email_type and l.key <> e.key
       and regexp_replace(l.key, ':[^:]+$', '') = regexp_replace(e.key, ':[^:]+$', '')
       where e.email_type in ('E-TRX-02', 'E-BILL-01', 'E-RET-04') and e.run_at < l.run_at and e.at >= l.at $$,
    'the steps of a sequence went out in their order'
);
select is_empty(
    $$ select l.data ->> 'invitation_id', s.step from sim.plan l cross join (values ('J0', interval '0'), ('J2', interval '2 days'), ('J5', interval '5 days')) s (step, delay) cross join sim.bounds b
       where l.kind = 'invites' and l.at >= b.starts and l.at + s.delay < b.ends - interval '2 hours'
       and (exists (select from sim.sent t where t.key = 'invitation:' || (l.data ->> 'invitation_id') || ':' || s.step)
           = exists (select from sim.plan a where a.kind in ('accepts', 'revokes') and a.data ->> 'invitation_id' = l.data ->> 'invitation_id'
                     and a.at <= date_bin('2 hours', l.at + s.delay, b.starts) + interval '2 hours')) $$,
    'each step of an invitation went out exactly when it was not answered before'
);
select is_empty(
    $$ select f.data ->> 'invoice_id', s.step from (select data, project, min(at) as at from sim.plan where kind = 'fails' group by data, project) f
       cross join (values ('J0', interval '0'), ('J3', interval '3 days'), ('J7', interval '7 days'), ('J10', interval '10 days')) s (step, delay) cross join sim.bounds b
       where f.at >= b.starts and f.at + s.delay < b.ends - interval '2 hours'
       and (exists (select from sim.sent t where t.key = 'payment_failed:' || (f.data ->> 'invoice_id') || ':' || s.step)
           = exists (select from sim.plan a where a.kind = 'pays' and a.data ->> 'invoice_id' = f.data ->> 'invoice_id' and a.at > f.at
                     and a.at <= date_bin('2 hours', f.at + s.delay, b.starts) + interval '2 hours')) $$,
    'each step of a dunning went out exactly when its invoice was not paid before'
);
-- How much it is ---------------------------------------------------------------------------------------------------------------
select is_empty(
    $$ select s.person, s.email_type, split_part(s.key, ':', 3) from sim.sent s where s.email_type in ('E-CONV-05', 'E-RET-01', 'E-RET-02')
       group by 1, 2, 3 having count(*) > 1 $$,
    'nobody got two reports of a period, or two letters about one week''s drop, however many projects'
);
select cmp_ok((select count(*) from email_deliveries d where d.email_type = 'E-ACT-01' and d.payload_json ->> 'reason' in ('invited to a project', 'joined a project by invitation')), '>', 0::bigint,
    'some were invited before they could be told to create a project');
select cmp_ok((select max(jsonb_array_length(s.context -> 'projects')) from sim.sent s where s.email_type = 'E-CONV-05'), '>', 1, 'some reports are about several projects');
select diag(format('letters a person and week: median %s, p95 %s, most %s',
    percentile_disc(0.5) within group (order by c.letters), percentile_disc(0.95) within group (order by c.letters), max(c.letters)))
from (
    select count(s.id) as letters
    from sim.people p
    cross join sim.bounds b
    cross join lateral generate_series(greatest(b.starts, p.joined), b.ends - interval '7 days', interval '7 days') w (week)
    left join sim.sent s on s.recipient = 'user' || p.n || '@example.com' and s.at >= w.week and s.at < w.week + interval '7 days'
    group by p.id, w.week
) c;
select * from finish();
