-- What the application's engine writes for a deployment: samples, verdict, hints and the errors of its collecting jobs, in its own
-- words and figures.  Needs the schema "fixture".

-- Samples: requests per second, p95 in ms, error rate, CPU, memory; the first row is the baseline when it says "pre".
create function fixture.samples(deployment uuid, at timestamptz, pre double precision[], post double precision[]) returns void
language sql
as $$
insert into public.metric_samples (deployment_id, phase, requests_per_sec, latency_p95, error_rate, cpu_usage, memory_usage, collected_at)
select deployment, 'pre', pre[1], pre[2], pre[3], pre[4], pre[5], at - interval '5 minutes' where pre is not null
union all
select deployment, 'post', post[n][1], post[n][2], post[n][3], post[n][4], post[n][5], at + make_interval(mins => n - 1)
from generate_series(1, coalesce(array_length(post, 1), 0)) n
$$;

create function fixture.judged(deployment uuid, verdict text, confidence double precision, summary text, details text[], at timestamptz) returns void
language sql
as $$
insert into public.deployment_verdicts (deployment_id, verdict, confidence, summary, details, created_at)
values (deployment, verdict, confidence, summary, details, at)
$$;

-- A hint of today's engine; its text follows from the metric.
create function fixture.hint(deployment uuid, metric text, severity text, observed double precision, threshold double precision, confidence double precision, at timestamptz)
returns void
language sql
as $$
insert into public.sdh_hints (deployment_id, metric, severity, observed_value, threshold, confidence, title, diagnosis, suggested_actions, created_at)
select deployment, metric, severity, observed, threshold, confidence, h.title, h.diagnosis,
    case when h.critical
        then '{Inspect failing sequences in metrics audit,Check recent release and infrastructure changes,Run targeted rollback checks for impacted paths,Rollback if critical breaches continue}'
        else '{Review sequence-level metrics for this deployment,Compare with the PRE baseline and secured threshold,Investigate recent code and config changes,Scale or rollback if persistence remains high}'
    end::text[], at
from (values
    ('requests_per_sec', true, 'Persistent critical threshold breach detected', 'Traffic is persistently breaching secured thresholds across post-deploy sequences.'),
    ('error_rate', true, 'Persistent critical threshold breach detected', 'Error rate is persistently breaching secured thresholds across post-deploy sequences.'),
    ('latency_p95', false, 'Persistent latency p95 breaches detected', 'Latency p95 exceeded the tolerated breach ratio across post-deployment sequences.'),
    ('cpu_usage', false, 'Persistent CPU usage breaches detected', 'Cpu usage exceeded the tolerated breach ratio across post-deployment sequences.'),
    ('memory_usage', false, 'Persistent memory usage breaches detected', 'Memory usage exceeded the tolerated breach ratio across post-deployment sequences.')
) h (metric, critical, title, diagnosis)
where h.metric = hint.metric
$$;

-- One collecting job that failed.
create function fixture.collect_failed(deployment uuid, at timestamptz, error text) returns void
language sql
as $$
insert into public.scheduled_jobs (deployment_id, job_type, phase, sequence_index, scheduled_at, status, retry_count, last_error, job_metadata)
values (deployment, 'post_collect', 'post', 0, at, 'failed', 3, error,
    '{"metrics_endpoint": "https://api.client.example/seqpulse-metrics", "use_hmac": true, "hmac_secret": "never-read-this", "project_id": "p"}')
$$;

-- The kinds of verdict, finished at $3.  Traffic and CPU alone, and nothing measured after the release, are the shapes in which
-- such a verdict was seen; the others follow the engine's rules.
create function fixture.analysed(deployment uuid, kind text, at timestamptz default now()) returns void
language plpgsql
as $$
declare
    verdict_at constant timestamptz := at + interval '5 minutes';
    last_sample constant timestamptz := at + interval '4 minutes';
begin
    case kind
        when 'ok' then
            perform fixture.samples(deployment, at, '{42.3,118,0.002,0.41,0.55}',
                '{{41.8,121,0.003,0.40,0.55},{43.1,117,0.002,0.42,0.55},{42.7,115,0.002,0.41,0.55},{41.9,116,0.003,0.43,0.56},{42.4,112,0.002,0.41,0.55}}');
            perform fixture.judged(deployment, 'ok', 0.9, 'No significant issues detected', '{data_quality_score 1.00}', verdict_at);
        when 'traffic' then
            perform fixture.samples(deployment, at, '{42.3,118,0.002,0.41,0.55}',
                '{{39.8,121,0.003,0.40,0.55},{11.2,117,0.002,0.33,0.55},{9.7,115,0.002,0.31,0.55},{8.9,116,0.003,0.30,0.55},{9.4,118,0.002,0.31,0.55}}');
            perform fixture.judged(deployment, 'rollback_recommended', 0.85, 'Critical threshold violations detected',
                array['requests_per_sec unstable in 80% of samples (limit 20%)', 'data_quality_score 1.00'], verdict_at);
            perform fixture.hint(deployment, 'requests_per_sec', 'critical', 15.799999999999999, 33.839999999999996, 0.9, last_sample);
        when 'peak' then
            -- One sample of 15 at 2 % of errors: the mean says nothing.
            perform fixture.samples(deployment, at, '{35.2,131,0.001,0.35,0.5}', (
                select array_agg(array[35 + n % 3, 129 + n % 5, case when n = 6 then 0.02 else 0.001 end, 0.34 + 0.01 * (n % 3), 0.5] order by n) from generate_series(1, 15) n
            ));
            perform fixture.judged(deployment, 'rollback_recommended', 0.85, 'Critical threshold violations detected',
                array['error_rate unstable in 7% of samples (limit 5%)', 'data_quality_score 1.00'], at + interval '15 minutes');
            perform fixture.hint(deployment, 'error_rate', 'warning', 0.0022666666666666664, 0.009, 0.6, at + interval '14 minutes');
        when 'cpu' then
            perform fixture.samples(deployment, at, '{18.5,142,0.001,0.61,0.48}',
                '{{18.1,151,0.001,0.74,0.49},{18.9,163,0.002,0.79,0.49},{18.4,171,0.001,0.83,0.50},{17.8,168,0.001,0.81,0.50},{18.2,160,0.001,0.78,0.50}}');
            perform fixture.judged(deployment, 'warning', 0.7, 'Multiple non-critical threshold violations detected',
                array['cpu_usage unstable in 100% of samples (limit 20%)', 'data_quality_score 1.00'], verdict_at);
            perform fixture.hint(deployment, 'cpu_usage', 'critical', 0.79, 0.7200000000000001, 0.9, last_sample);
        when 'already' then
            perform fixture.samples(deployment, at, '{12.4,290,0.001,0.44,0.52}',
                '{{12.2,288,0.001,0.44,0.52},{12.6,291,0.001,0.45,0.52},{12.5,295,0.002,0.45,0.52},{12.1,287,0.001,0.44,0.52},{12.4,292,0.001,0.44,0.52}}');
            perform fixture.judged(deployment, 'warning', 0.7, 'Multiple non-critical threshold violations detected',
                array['latency_p95 unstable in 100% of samples (limit 20%)', 'data_quality_score 1.00'], verdict_at);
            perform fixture.hint(deployment, 'latency_p95', 'critical', 290.6, 270, 0.9, last_sample);
        when 'two' then
            perform fixture.samples(deployment, at, '{27.3,204,0.002,0.52,0.66}',
                '{{27.1,262,0.002,0.55,0.69},{26.8,287,0.003,0.58,0.73},{27.4,301,0.002,0.57,0.75},{27.0,296,0.002,0.56,0.76},{26.9,283,0.003,0.57,0.78}}');
            perform fixture.judged(deployment, 'warning', 0.68, 'Multiple non-critical regressions detected',
                array['latency_p95 unstable in 80% of samples (limit 20%)', 'memory_usage unstable in 80% of samples (limit 10%)', 'data_quality_score 1.00'], verdict_at);
            perform fixture.hint(deployment, 'latency_p95', 'critical', 285.8, 270, 0.8, last_sample);
            perform fixture.hint(deployment, 'memory_usage', 'critical', 0.742, 0.7200000000000001, 0.85, last_sample);
        when 'incomplete' then
            perform fixture.samples(deployment, at, '{23.9,156,0.001,0.38,0.44}', '{{24.1,158,0.001,0.38,0.44},{23.6,161,0.002,0.39,0.44},{24.0,157,0.001,0.38,0.45}}');
            perform fixture.judged(deployment, 'warning', 0.51, 'Data quality insufficient to confirm deployment health',
                array['ok_verdict_blocked_by_data_quality', 'data_quality_score 0.84', 'data_quality_issue min_post_samples 3/5'], verdict_at);
        when 'silent' then
            perform fixture.samples(deployment, at, '{6.2,95,0,0.22,0.37}', null);
            perform fixture.collect_failed(deployment, at + interval '1 minute', 'ValueError: HTTP error 502 from https://api.client.example/seqpulse-metrics');
            perform fixture.judged(deployment, 'warning', 0.32, 'Insufficient metrics to assess deployment health',
                array['data_quality_score 0.60', 'data_quality_issue min_post_samples 0/5'], verdict_at);
        when 'nothing' then
            perform fixture.collect_failed(deployment, at + interval '1 minute',
                'ValueError: Failed to fetch metrics from https://api.client.example/seqpulse-metrics: timed out');
            perform fixture.judged(deployment, 'warning', 0.28, 'Insufficient metrics to assess deployment health',
                array['data_quality_score 0.40', 'data_quality_issue min_post_samples 0/5', 'data_quality_issue missing_pre_samples'], verdict_at);
        when 'refused' then
            perform fixture.judged(deployment, 'warning', 0.4, 'Post-deploy metrics validation failed; deployment analyzed with limited confidence',
                array['Metrics endpoint HMAC validation failed. Check secret and endpoint HMAC middleware.'], at);
        when 'older' then
            perform fixture.samples(deployment, at, '{20,150,0.002,0.5,0.5}', '{{20,410,0.002,0.5,0.5},{20,420,0.03,0.5,0.5},{20,430,0.04,0.5,0.5},{20,440,0.05,0.5,0.5},{20,450,0.05,0.5,0.5}}');
            perform fixture.judged(deployment, 'rollback_recommended', 0.85, 'Critical regressions detected',
                array['latency_p95 exceed_ratio 100% > 20% (secured 270)', 'error_rate exceed_ratio 80% > 5% (secured 0.009)'], verdict_at);
            insert into public.sdh_hints (deployment_id, metric, severity, observed_value, threshold, confidence, title, diagnosis, suggested_actions, created_at) values
            (deployment, 'composite', 'critical', null, null, 0.85, 'Service degradation detected',
                'Both error rate and latency increased after deployment, suggesting a major service degradation (likely downstream service failure or resource exhaustion).',
                '{Check application error logs for 5xx errors or exceptions,Verify database connectivity and query performance,Check external API dependencies for timeouts or failures}', last_sample);
    end case;
end
$$;
