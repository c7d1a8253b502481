-- What the letters of a verdict say (E-ACT-04, E-ACT-05): which metrics fail and how, what stayed calm, why nothing could be
-- measured, what to do.  The figures are counted here from the samples; of the engine's own words only what it found is taken,
-- and said in our French (21_engine_texts.sql).

-- The engine's fixed limits, in the order a reader cares: traffic has none of its own, it is held against what it was before.
create or replace function public.email_verdict_limits()
returns table (metric text, secured double precision, tolerated double precision, at_most double precision, place integer)
language sql immutable rows 5
set search_path = pg_catalog, pg_temp
as $$
values
    ('error_rate', 0.009::double precision, 0.05::double precision, 1::double precision, 1),
    ('requests_per_sec', null, 0.20, 1e12, 2),
    ('latency_p95', 270, 0.20, 1e12, 3),
    ('cpu_usage', 0.72, 0.20, 1, 4),
    ('memory_usage', 0.72, 0.10, 1, 5)
$$;
comment on function public.email_verdict_limits() is
'What the engine judges a metric by: the threshold a sample must not exceed (traffic: null, a sample must not fall more than 20 % below the mean from before the release), the share of samples that may, and the highest value that is one.';
revoke all on function public.email_verdict_limits() from public;

-- Which metric a line of deployment_verdicts.details says fails: the formats of today ("unstable in") and of older versions.
create or replace function public.email_detail_metric(detail text) returns text
language sql immutable strict
set search_path = pg_catalog, pg_temp
as $$
select case m.name when 'traffic' then 'requests_per_sec' else m.name end
from (
    select substring(detail from '^\s*(latency_p95|error_rate|cpu_usage|memory_usage|requests_per_sec|traffic)\s+(?:unstable|exceed_ratio|drop_ratio|increased|dropped|>)') as name
) m
$$;
comment on function public.email_detail_metric(text) is 'The metric a line of a verdict''s details says fails; null when it says something else.';
revoke all on function public.email_detail_metric(text) from public;

-- Why the application could not collect: what sort of error its last failed job had, never the error itself, which holds
-- addresses, nor job_metadata, which holds a secret.  Not every database has that table, and none has an index by deployment:
-- the jobs of a release are found by their state and time.
create or replace function public.email_collect_error(deployment uuid, since timestamptz, until timestamptz) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    errors text[];
begin
    if to_regclass('public.scheduled_jobs') is null then
        return null;
    end if;
    begin
        execute 'select array_agg(distinct left(j.last_error, 2000)) from public.scheduled_jobs j
            where j.status in (''failed'', ''pending'', ''running'') and j.scheduled_at between $2 and $3
            and j.deployment_id = $1 and j.job_type in (''pre_collect'', ''post_collect'') and j.last_error is not null'
        into errors using deployment, since, until;
    exception when insufficient_privilege or undefined_column or undefined_table then
        return null; -- An alert without this line is better than none.
    end;
    return (select f.french from public.email_french(errors) f where f.shown order by f.french limit 1);
end
$$;
comment on function public.email_collect_error(uuid, timestamptz, timestamptz) is
'A French sentence for the sort of error the application''s collecting jobs of a deployment failed with, of those due between since and until; null when none is known.';
revoke all on function public.email_collect_error(uuid, timestamptz, timestamptz) from public;

create or replace function public.email_pipeline_failed(deployment uuid) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (select true from public.deployments d where d.id = deployment and d.pipeline_result = 'failed');
exception when insufficient_privilege or undefined_column then
    return null; -- An alert without this line is better than none.
end
$$;
comment on function public.email_pipeline_failed(uuid) is 'True when the pipeline of a deployment ended as failed; null otherwise, and when that is not known.';
revoke all on function public.email_pipeline_failed(uuid) from public;

-- Long, because it is one statement: every figure is of the same samples at the same moment.
-- measured is false when the engine says "warning" and names no metric: it could not measure.  A line that nobody knows may
-- name one, and rows of older versions have no details: there the samples are judged as the engine judges them.
create or replace function public.email_verdict_figures(deployments uuid[])
returns table (deployment_id uuid, verdict text, figures jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
as $$
#variable_conflict use_column
begin
    return query
    with released as materialized (
        select
            d.id, d.project_id, d.deployment_number, d.env, d.started_at, p.name, p.plan,
            -- "attention" is what older versions called a warning.
            case v.verdict when 'attention' then 'warning' else v.verdict::text end as verdict,
            v.confidence, v.summary::text as summary, v.details::text[] as details, v.created_at
        from (select distinct i from unnest(deployments) as i) wanted (id)
        join public.deployments d on d.id = wanted.id
        join public.projects p on p.id = d.project_id
        left join public.deployment_verdicts v on v.deployment_id = d.id
    ),
    said as materialized (
        select r.id, l.line, l.place, public.email_detail_metric(l.line) as metric
        from released r
        cross join lateral unnest(r.details) with ordinality as l (line, place)
        where r.verdict <> 'ok'
    ),
    -- Hints are no alarm by themselves, and good news is none in an alarm.
    hints as materialized (
        select r.id, h.metric, h.severity, h.confidence, h.title::text as title, h.diagnosis, h.suggested_actions::text[] as actions
        from released r
        join public.sdh_hints h on h.deployment_id = r.id
        where r.verdict <> 'ok' and h.severity <> 'info'
    ),
    french as materialized (
        select f.said, f.french, f.shown
        from public.email_french(array(
            select s.line from said s
            union select r.summary from released r
            union select h.title from hints h
            union select h.diagnosis from hints h
            union select a.action from hints h cross join lateral unnest(h.actions) a (action) where btrim(a.action) <> ''
        )) f
    ),
    -- NaN, Infinity and what no metric can be are left out.
    sampled as materialized (
        select r.id, m.metric,
            avg(m.value) filter (where s.phase = 'pre') as before,
            avg(m.value) filter (where s.phase = 'post') as after,
            array_agg(m.value) filter (where s.phase = 'post') as posts
        from released r
        join public.metric_samples s on s.deployment_id = r.id
        cross join lateral (
            values ('error_rate', s.error_rate), ('requests_per_sec', s.requests_per_sec), ('latency_p95', s.latency_p95),
                ('cpu_usage', s.cpu_usage), ('memory_usage', s.memory_usage)
        ) m (metric, value)
        join public.email_verdict_limits() l on l.metric = m.metric
        where m.value >= 0 and m.value <= l.at_most
        group by r.id, m.metric
    ),
    judged as materialized (
        select r.id, l.metric, l.place, m.before, m.after, t.threshold, cardinality(m.posts) as samples, b.beyond, d.line,
            case
                when d.line is not null then true
                when exists (select from said s where s.id = r.id and s.metric is not null) then false
                else r.verdict in ('warning', 'rollback_recommended') and b.beyond > l.tolerated * cardinality(m.posts)
            end as failing
        from released r
        cross join public.email_verdict_limits() l
        left join sampled m on m.id = r.id and m.metric = l.metric
        left join lateral (select s.line from said s where s.id = r.id and s.metric = l.metric order by s.place limit 1) d on true
        cross join lateral (
            select case
                when l.secured is null then case when m.before >= 0.5 then 0.8 * m.before end
                -- Older versions had other limits, and wrote them.
                else coalesce(substring(d.line from '\(secured (\d+(?:\.\d+)?)\)')::double precision, l.secured)
            end as threshold
        ) t
        cross join lateral (
            select count(*) filter (where case when l.secured is null then p.value < t.threshold else p.value > t.threshold end) as beyond
            from unnest(m.posts) p (value)
        ) b
        where m.id is not null or d.line is not null
    ),
    found as materialized (
        select r.*,
            r.verdict is distinct from 'warning' or exists (select from judged j where j.id = r.id and j.failing) or not (
                r.summary in (
                    'Data quality insufficient to confirm deployment health', 'Insufficient metrics to assess deployment health',
                    'Post-deploy metrics validation failed; deployment analyzed with limited confidence'
                )
                or exists (
                    select from said s
                    where s.id = r.id and (s.line in (
                        'ok_verdict_blocked_by_data_quality',
                        'Metrics endpoint HMAC validation failed. Check secret and endpoint HMAC middleware.',
                        'Metrics endpoint preflight failed. Check endpoint availability and response format.'
                    ) or s.line like 'data\_quality\_issue %')
                )
            ) as measured
        from released r
    )
    select f.id, f.verdict, jsonb_strip_nulls(jsonb_build_object(
        'project_id', f.project_id,
        'project_name', f.name,
        'plan', f.plan,
        'deployment_id', f.id,
        'deployment_number', f.deployment_number,
        'env', f.env,
        'verdict', f.verdict,
        'measured', f.measured,
        'occurred_at', f.created_at,
        -- It plays no part in the verdict: a failed pipeline may be fine.
        'pipeline_failed', public.email_pipeline_failed(f.id),
        'confidence', case when f.confidence between 0 and 1 then f.confidence end,
        'summary', (select t.french from french t where t.said = f.summary),
        'latency_delta', (
            select round((100 * (j.after - j.before) / nullif(j.before, 0))::numeric, 1) from judged j where j.id = f.id and j.metric = 'latency_p95'
        ),
        'error_rate_delta', (select round((100 * (j.after - j.before))::numeric, 2) from judged j where j.id = f.id and j.metric = 'error_rate'),
        'metrics', (
            select jsonb_agg(jsonb_build_object(
                'metric', j.metric, 'failing', j.failing,
                'before', trim_scale(round(j.before::numeric, 6)), 'after', trim_scale(round(j.after::numeric, 6)),
                'threshold', trim_scale(round(j.threshold::numeric, 6)),
                -- Then it is not the release that did it.
                'already', case when j.failing and j.metric <> 'requests_per_sec' then j.before > j.threshold end,
                'samples', j.samples, 'beyond', case when j.samples > 0 and j.threshold is not null then j.beyond end,
                'said', case when j.failing then (select t.french from french t where t.said = j.line) end
            ) order by j.failing desc, j.place)
            from judged j
            where j.id = f.id
        ),
        'reasons', (
            select jsonb_agg(o.french order by o.place)
            from (
                select t.french, s.place
                from said s
                join french t on t.said = s.line
                where s.id = f.id and s.metric is null and t.shown
                union all
                select e.french, 1000 from (select case when not f.measured then
                    public.email_collect_error(f.id, f.started_at - interval '1 minute', f.created_at + interval '1 hour') end) e (french)
                where e.french is not null
            ) o
        ),
        'diagnosis', (
            select t.french
            from hints h
            join french t on t.said = h.diagnosis
            where h.id = f.id and f.measured and t.shown
            order by case h.severity when 'critical' then 1 else 2 end, h.confidence desc, h.metric
            limit 1
        ),
        'actions', (
            select jsonb_agg(a.french order by a.place)
            from (
                select o.french, min(o.place) as place
                from (
                    select t.french, row_number() over (
                        order by case h.severity when 'critical' then 1 else 2 end, h.confidence desc, h.metric, s.place
                    ) as place
                    from hints h
                    cross join lateral unnest(h.actions) with ordinality as s (action, place)
                    join french t on t.said = s.action
                    where h.id = f.id and f.measured and t.shown
                ) o
                group by o.french
            ) a
        ),
        'left_out', (
            select jsonb_agg(distinct t.said)
            from french t
            where t.french is null and (
                t.said = f.summary
                or exists (select from said s where s.id = f.id and s.line = t.said)
                or exists (select from hints h where h.id = f.id and (t.said in (h.title, h.diagnosis) or t.said = any(h.actions)))
            )
        )
    ))
    from found f;
end
$$;
comment on function public.email_verdict_figures(uuid[]) is
'Verdict and figures of these deployments'' letters: each metric as mean before and after the release with its threshold and how many samples are beyond it, the failing ones first; measured (false: the engine could not judge), reasons, diagnosis and actions in French; left_out: what the engine wrote and nobody has French for.';
revoke all on function public.email_verdict_figures(uuid[]) from public;

-- What was left out of letters, once per text.  From the journal, so that the claim need not write anything, and from the
-- letters of the last days only: a text that is added to email_engine_texts is in this view no more.
create or replace function public.email_texts_left_out() returns table (source text, letters bigint, last_seen_at timestamptz)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    with seen as materialized (
        select x.text, count(*) as letters, max(d.created_at) as last_seen_at
        from public.email_deliveries d
        cross join lateral jsonb_array_elements_text(d.payload_json -> 'context' -> 'left_out') x (text)
        where d.email_type in ('E-ACT-04', 'E-ACT-05') and d.created_at > public.email_now() - interval '30 days'
        and jsonb_typeof(d.payload_json -> 'context' -> 'left_out') = 'array'
        group by x.text
    )
    select s.text, s.letters, s.last_seen_at
    from seen s
    join public.email_french(array(select w.text from seen w)) f on f.said = s.text
    where f.french is null;
end
$$;
comment on function public.email_texts_left_out() is 'The rows of email_unknown_engine_texts.';
revoke all on function public.email_texts_left_out() from public;

drop view if exists public.email_unknown_engine_texts;
create view public.email_unknown_engine_texts as
select t.source, t.letters, t.last_seen_at from public.email_texts_left_out() t;
comment on view public.email_unknown_engine_texts is
'Texts of the application''s engine that letters of the last 30 days left out because email_engine_texts has no French for them. Empty is right; doctor names them.';
comment on column public.email_unknown_engine_texts.source is 'The text, as the engine wrote it.';
comment on column public.email_unknown_engine_texts.letters is 'How many letters went without it.';
comment on column public.email_unknown_engine_texts.last_seen_at is 'When the last of them was claimed.';

select public.email_grant(g.privileges, r.role_name)
from (values
    ('select on public.email_unknown_engine_texts'),
    ('execute on function public.email_texts_left_out()')
) g (privileges)
cross join unnest(array['email_worker', 'email_reader', 'email_admin']) r (role_name);
select public.email_grant(
    'execute on function public.email_verdict_limits(), public.email_detail_metric(text), public.email_collect_error(uuid, timestamptz, timestamptz), public.email_pipeline_failed(uuid), public.email_verdict_figures(uuid[])', r.role_name
)
from unnest(array['email_worker', 'email_admin']) r (role_name);
select public.email_grant('select (id, name, plan) on public.projects', 'email_worker');
select public.email_grant('select (id, project_id, deployment_number, env, started_at, pipeline_result) on public.deployments', 'email_worker');
select public.email_grant('select (deployment_id, verdict, confidence, summary, details, created_at) on public.deployment_verdicts', 'email_worker');
select public.email_grant('select (deployment_id, phase, latency_p95, error_rate, cpu_usage, memory_usage, requests_per_sec) on public.metric_samples', 'email_worker');
select public.email_grant('select (deployment_id, metric, severity, confidence, title, diagnosis, suggested_actions) on public.sdh_hints', 'email_worker');
