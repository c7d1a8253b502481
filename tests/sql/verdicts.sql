-- What the letters of a verdict know: email_verdict_figures over rows as the application writes them.
begin;
\ir support/fixtures.sql
\ir support/verdicts.sql
select plan(24);

select fixture.account('nassir') as nassir \gset
select fixture.project(:'nassir', 'Checkout API') as project \gset
create table cases (kind text primary key, id uuid);
insert into cases
select kind, fixture.deployment(:'project', row_number() over ()::integer, 'analyzed', now() - interval '5 minutes', 'prod')
from unnest('{ok,traffic,peak,cpu,already,two,incomplete,silent,nothing,refused,older,bare}'::text[]) kind;
select fixture.analysed(c.id, c.kind) from cases c where c.kind <> 'bare' \g /dev/null
create function fixture.figures(of text) returns jsonb
language sql
as $$
select f.figures from public.email_verdict_figures(array(select c.id from cases c where c.kind = of)) f
$$;
create function fixture.metric(of text, metric text) returns jsonb
language sql
as $$
select m from jsonb_array_elements(fixture.figures(of) -> 'metrics') m where m ->> 'metric' = metric.metric
$$;

select is(fixture.figures('traffic') -> 'metrics' -> 0, '{"metric": "requests_per_sec", "failing": true, "before": 42.3, "after": 15.8, "threshold": 33.84, "samples": 5, "beyond": 4, "said": "en baisse de plus de 20 % dans 80 % des mesures"}'::jsonb,
    'the failing metric comes first, with its values, its threshold and how many samples are beyond it');
select is(fixture.figures('cpu') -> 'metrics' -> 0 ->> 'metric', 'cpu_usage', 'CPU alone too');
select is(array[fixture.metric('peak', 'error_rate') -> 'beyond', fixture.metric('peak', 'error_rate') -> 'after'], array['1', '0.002267']::jsonb[], 'one sample of 15 that a mean hides is counted');
select is(array[fixture.metric('already', 'latency_p95') ->> 'already', fixture.metric('cpu', 'cpu_usage') ->> 'already'], '{true,false}', 'what was so before the release is said');
select is((select array_agg(m ->> 'metric') from jsonb_array_elements(fixture.figures('two') -> 'metrics') m where (m ->> 'failing')::boolean), '{latency_p95,memory_usage}', 'two of them');
select is((select array_agg(m ->> 'metric') from jsonb_array_elements(fixture.figures('older') -> 'metrics') m where (m ->> 'failing')::boolean), '{error_rate,latency_p95}', 'the format of older versions too');
select is((select array_agg(c.kind order by c.kind) from cases c where (fixture.figures(c.kind) ->> 'measured')::boolean), '{already,bare,cpu,ok,older,peak,traffic,two}', 'where no metric fails, nothing could be measured');
select is(fixture.figures('silent') -> 'reasons', '["Aucune mesure n''a été reçue après la mise en production.", "L''endpoint de métriques a répondu par l''erreur HTTP 502."]'::jsonb, 'why: the engine''s issues, and the sort of error the collecting ended with');
select is(fixture.figures('nothing') -> 'reasons' ->> 2, 'L''endpoint de métriques n''a pas répondu.', 'without its address');
select is(fixture.figures('refused') -> 'actions' is null and jsonb_array_length(fixture.figures('refused') -> 'reasons') = 1, true, 'a refused endpoint has its reason');
select is((select count(*) from cases c where fixture.figures(c.kind)::text ~ 'client\.example|never-read-this|unstable|Inspect|detected'), 0::bigint, 'no address, secret or English of the engine');
select is((select count(*) from cases c where fixture.figures(c.kind) ? 'left_out'), 0::bigint, 'all that the engine writes is known');
alter table public.scheduled_jobs rename to gone;
select is(jsonb_array_length(fixture.figures('nothing') -> 'reasons'), 2, 'an application without scheduler has the other reasons');
alter table public.gone rename to scheduled_jobs;

-- Hints.
select is(fixture.figures('older') ->> 'diagnosis' like 'Le taux d''erreur et la latence%', true, 'a diagnosis that names a cause is said');
select is(fixture.figures('cpu') ? 'diagnosis', false, 'one that repeats the figures is not');
update public.sdh_hints set severity = 'info' where deployment_id = (select id from cases where kind = 'cpu');
select is(fixture.figures('cpu') ? 'actions', false, 'good news in an alarm is left out');
insert into public.sdh_hints (deployment_id, metric, severity, confidence, title, diagnosis, suggested_actions)
select c.id, 'composite', 'critical', 0.85, 'Critical verdict requires investigation', 'x', '{Validate rollback readiness}' from cases c where c.kind = 'ok';
select is(fixture.figures('ok') ?| '{actions,diagnosis}', false, 'hints alone are no alarm');
insert into public.sdh_hints (deployment_id, metric, severity, confidence, title, diagnosis, suggested_actions)
select c.id, 'latency_p95', 'warning', 0.5, 'New title', 'New  diagnosis', '{ Validate   rollback readiness ,Reboot everything,"  "}' from cases c where c.kind = 'cpu';
select is(fixture.figures('cpu') -> 'actions', '["S''assurer qu''un retour en arrière est prêt"]'::jsonb, 'blanks do not matter, what is unknown is left out');
select is(fixture.figures('cpu') -> 'left_out', '["New  diagnosis", "New title", "Reboot everything"]'::jsonb, 'and said to be');

-- Samples that are none, and verdicts without details.
insert into public.metric_samples (deployment_id, phase, requests_per_sec, latency_p95, error_rate, cpu_usage, memory_usage, collected_at)
select c.id, 'post', 'Infinity', 'NaN', 'NaN', 'Infinity', -1, now() + interval '1 hour' from cases c where c.kind = 'traffic';
select is(fixture.metric('traffic', 'requests_per_sec') -> 'samples', '5', 'NaN and Infinity are no samples');
select fixture.samples((select id from cases where kind = 'bare'), now(), '{20,100,0,0.1,0.1}', '{{20,400,0,0.1,0.1},{20,410,0,0.1,0.1},{20,100,0,0.1,0.1},{20,100,0,0.1,0.1},{20,100,0,0.1,0.1}}');
select is(fixture.figures('bare') ? 'verdict', false, 'a deployment without verdict has figures and no verdict');
insert into public.deployment_verdicts (deployment_id, verdict, confidence) select id, 'attention', 'NaN' from cases where kind = 'bare';
select is(fixture.figures('bare') - '{metrics,project_id,deployment_id,occurred_at,deployment_number,env,plan,project_name,latency_delta,error_rate_delta}'::text[],
    '{"verdict": "warning", "measured": true}'::jsonb, 'the older word for a warning, and no confidence that is none');
select is(array(select m ->> 'metric' from jsonb_array_elements(fixture.figures('bare') -> 'metrics') m where (m ->> 'failing')::boolean), '{latency_p95}', 'without details the samples are judged as the engine does');

-- By index.
create function fixture.plan_of(query text) returns setof text language plpgsql as $$ begin return query execute 'explain ' || query; end $$;
select is(
    (select count(*) from fixture.plan_of('select 1 from public.email_outbox o where o.email_type = ''E-ACT-05'' and o.project_id = gen_random_uuid() and o.due_at > now()') p (line) where p.line like '%email_outbox_alerts_idx%'),
    1::bigint, 'the alerts of a project are found by their index'
);

select * from finish();
rollback;
