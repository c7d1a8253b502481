-- A project's running deployment is finished and analysed, as the application does it: one sample before the release, five after it,
-- verdict, details and hints in the engine's own words.  $1 project, $2 verdict, $3 what fails: traffic, cpu or '' (nothing).
with finished as (
    update public.deployments d set state = 'analyzed', pipeline_result = 'success', finished_at = public.seqpulse_now(), duration_ms = 252000
    where d.project_id = $1::text::uuid and d.state = 'running'
    returning d.id
),
samples as (
    select s.fault, s.n, s.rps, s.p95, s.errors, s.cpu, s.memory
    from (values
        ('traffic', 0, 42.3, 118, 0.002, 0.41, 0.55), ('traffic', 1, 39.8, 121, 0.003, 0.40, 0.55), ('traffic', 2, 11.2, 117, 0.002, 0.33, 0.55),
        ('traffic', 3, 9.7, 115, 0.002, 0.31, 0.55), ('traffic', 4, 8.9, 116, 0.003, 0.30, 0.55), ('traffic', 5, 9.4, 118, 0.002, 0.31, 0.55),
        ('cpu', 0, 18.5, 142, 0.001, 0.61, 0.48), ('cpu', 1, 18.1, 151, 0.001, 0.74, 0.49), ('cpu', 2, 18.9, 163, 0.002, 0.79, 0.49),
        ('cpu', 3, 18.4, 171, 0.001, 0.83, 0.50), ('cpu', 4, 17.8, 168, 0.001, 0.81, 0.50), ('cpu', 5, 18.2, 160, 0.001, 0.78, 0.50),
        ('', 0, 42.3, 118, 0.002, 0.41, 0.55), ('', 1, 41.8, 121, 0.003, 0.40, 0.55), ('', 2, 43.1, 117, 0.002, 0.42, 0.55),
        ('', 3, 42.7, 115, 0.002, 0.41, 0.55), ('', 4, 41.9, 116, 0.003, 0.43, 0.56), ('', 5, 42.4, 112, 0.002, 0.41, 0.55)
    ) s (fault, n, rps, p95, errors, cpu, memory)
    where s.fault = $3::text
),
measured as (
    insert into public.metric_samples (deployment_id, phase, requests_per_sec, latency_p95, error_rate, cpu_usage, memory_usage, collected_at)
    select f.id, case s.n when 0 then 'pre' else 'post' end, s.rps, s.p95, s.errors, s.cpu, s.memory, public.seqpulse_now() + make_interval(mins => s.n - 6)
    from finished f cross join samples s
),
hinted as (
    insert into public.sdh_hints (deployment_id, metric, severity, observed_value, threshold, confidence, title, diagnosis, suggested_actions)
    select f.id, h.metric, 'critical', h.observed, h.threshold, 0.9, h.title, h.diagnosis, h.actions
    from finished f cross join (values
        ('traffic', 'requests_per_sec', 15.799999999999999, 33.839999999999996, 'Persistent critical threshold breach detected',
            'Traffic is persistently breaching secured thresholds across post-deploy sequences.',
            array['Inspect failing sequences in metrics audit', 'Check recent release and infrastructure changes', 'Run targeted rollback checks for impacted paths', 'Rollback if critical breaches continue']),
        ('cpu', 'cpu_usage', 0.79, 0.7200000000000001, 'Persistent CPU usage breaches detected',
            'Cpu usage exceeded the tolerated breach ratio across post-deployment sequences.',
            array['Review sequence-level metrics for this deployment', 'Compare with the PRE baseline and secured threshold', 'Investigate recent code and config changes', 'Scale or rollback if persistence remains high'])
    ) h (fault, metric, observed, threshold, title, diagnosis, actions)
    where h.fault = $3::text
)
insert into public.deployment_verdicts (deployment_id, verdict, confidence, summary, details)
select f.id, $2::text, v.confidence, v.summary, v.details || '{data_quality_score 1.00}'
from finished f
join (values
    ('ok', 0.9, 'No significant issues detected', '{}'::text[]),
    ('warning', 0.7, 'Multiple non-critical threshold violations detected', '{cpu_usage unstable in 100% of samples (limit 20%)}'),
    ('rollback_recommended', 0.85, 'Critical threshold violations detected', '{requests_per_sec unstable in 80% of samples (limit 20%)}')
) v (verdict, confidence, summary, details) on v.verdict = $2::text
