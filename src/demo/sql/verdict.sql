-- A project's running deployment is finished and analysed. $1 project, $2 verdict, $3 latency before, $4 after, $5 error rate
-- before, $6 after.
with finished as (
    update public.deployments d set state = 'analyzed', pipeline_result = 'success', finished_at = public.seqpulse_now(), duration_ms = 252000
    where d.project_id = $1::text::uuid and d.state = 'running'
    returning d.id
),
measured as (
    insert into public.metric_samples (deployment_id, phase, requests_per_sec, latency_p95, error_rate, cpu_usage, memory_usage)
    select f.id, s.phase, 140, s.latency::text::double precision, s.errors::text::double precision, 0.5, 0.6
    from finished f cross join (values ('pre', $3, $5), ('post', $4, $6)) s (phase, latency, errors)
),
hinted as (
    insert into public.sdh_hints (deployment_id, metric, severity, observed_value, threshold, confidence, title, diagnosis, suggested_actions)
    select f.id, h.metric, h.severity, h.observed, h.threshold, 0.9, h.title, h.diagnosis, h.actions
    from finished f cross join (values
        ('latency_p95', 'critical', 412.0, 250.0, 'Latence p95 en forte hausse', 'La latence p95 dépasse le seuil depuis la mise en production.',
            array['rollback sur la version précédente', 'vérifier les changements DB']),
        ('error_rate', 'warning', 0.021, 0.01, 'Taux d''erreurs en hausse', 'Les erreurs 5xx ont augmenté.', array['surveiller le trafic 15 min'])
    ) h (metric, severity, observed, threshold, title, diagnosis, actions)
    where $2 <> 'ok'
)
insert into public.deployment_verdicts (deployment_id, verdict, confidence, summary)
select f.id, $2, 0.93, case $2 when 'ok' then 'Rien à signaler.' else 'La latence et les erreurs ont augmenté.' end from finished f
