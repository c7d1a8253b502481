-- What SEQPULSE knew before the mailer was installed: seven people and their projects. Nothing of it causes a letter.
-- "day" counts back from now, the demo's first day.
create function pg_temp.at(day integer, hour integer) returns timestamptz
language sql
as $$
select ((public.seqpulse_now() at time zone 'Europe/Paris')::date - day + make_time(hour, 0, 0)) at time zone 'Europe/Paris'
$$;

insert into public.users (id, name, email, hashed_password, created_at)
select format('00000000-0000-4000-8000-%s', lpad(v.n::text, 12, '0'))::uuid, v.name, v.email, 'argon2id$demo', pg_temp.at(v.day, 9)
from (values
    (2, 'Nadia Fournier', 'nadia.fournier@exemple.fr', 120),
    (3, 'Éloïse Lefèvre', 'eloise.lefevre@exemple.fr', 90),
    (4, 'Karim Haddad', 'karim.haddad@exemple.fr', 80),
    (5, 'Jean-Baptiste N''Diaye', 'jb.ndiaye@exemple.fr', 70),
    (6, 'Chloé D''Angelo', 'chloe.dangelo@exemple.fr', 100),
    (7, 'Maëlys O''Connor-Œuvrard', 'maelys@exemple.fr', 110),
    (8, 'Inès Moreau', 'ines.moreau@exemple.fr', 60)) v (n, name, email, day);

insert into public.projects (id, name, owner_id, plan, api_key, hmac_secret, envs, created_at)
select format('00000000-0000-4000-9000-%s', lpad(v.n::text, 12, '0'))::uuid, v.name,
    format('00000000-0000-4000-8000-%s', lpad(v.n::text, 12, '0'))::uuid, v.plan, 'key-' || v.n, 'secret-' || v.n, '{prod,staging}', pg_temp.at(v.day, 10)
from (values
    (2, 'API Gateway', 'pro', 2),
    (3, 'Paiements', 'free', 20),
    (4, 'Catalogue', 'free', 25),
    (5, 'Site vitrine', 'free', 30),
    (6, 'Blog technique', 'free', 40),
    (7, 'Intranet', 'free', 60),
    (8, 'Moteur de recherche', 'pro', 60)) v (n, name, plan, day);

-- Deployments, each with a verdict and the latency around it.
create temp table history on commit drop as
select gen_random_uuid() as id, v.n, row_number() over (partition by v.n order by v.day desc, v.hour) as number, pg_temp.at(v.day, v.hour) as at
from (
    -- Éloïse: 39 this month.
    select 3, d, h from generate_series(1, 17) d, generate_series(10, 12) h where (17 - d) * 3 + h - 10 < 39
    union all
    -- Karim: 20 last week, 7 since Monday.
    select 4, d, h from generate_series(5, 9) d, generate_series(10, 13) h
    union all
    select 4, d, h from generate_series(1, 2) d, generate_series(10, 13) h where d = 1 or h < 13
    union all
    select 5, d, 11 from unnest(array[20, 12, 5]) d
    union all
    -- Chloé's last was 13 days ago, Maëlys' 29: tomorrow it is a day more.
    select 6, d, 11 from unnest(array[30, 20, 13]) d
    union all
    select 7, d, 9 from unnest(array[45, 38, 29]) d
    union all
    -- Inès: one a day.
    select 8, d, 14 from generate_series(1, 28) d
) v (n, day, hour);

insert into public.deployments (id, deployment_number, project_id, env, branch, state, pipeline_result, started_at, finished_at, duration_ms)
select h.id, h.number, format('00000000-0000-4000-9000-%s', lpad(h.n::text, 12, '0'))::uuid, 'prod', 'main', 'analyzed', 'success', h.at, h.at + interval '4 minutes', 240000
from history h;
insert into public.deployment_verdicts (deployment_id, verdict, confidence, summary, details, created_at)
select h.id, v.verdict, v.confidence, v.summary, v.details || '{data_quality_score 1.00}', h.at + interval '20 minutes'
from history h
cross join lateral (select case when h.number % 13 = 0 then 'rollback_recommended' when h.number % 7 = 0 then 'warning' else 'ok' end as verdict) w
join (values
    ('ok', 0.9, 'No significant issues detected', '{}'::text[]),
    ('warning', 0.7, 'Multiple non-critical threshold violations detected', '{latency_p95 unstable in 100% of samples (limit 20%)}'),
    ('rollback_recommended', 0.85, 'Critical threshold violations detected', '{error_rate unstable in 20% of samples (limit 5%)}')
) v (verdict, confidence, summary, details) on v.verdict = w.verdict;
insert into public.metric_samples (deployment_id, phase, requests_per_sec, latency_p95, error_rate, cpu_usage, memory_usage, collected_at)
select h.id, s.phase, 120, case when s.phase = 'pre' then 200 else 176 + 10 * (h.number % 7) end, 0.004, 0.4, 0.5, h.at + s.after
from history h cross join (values ('pre', interval '-5 minutes'), ('post', interval '10 minutes')) s (phase, after);
insert into public.sdh_hints (deployment_id, metric, severity, observed_value, threshold, confidence, title, diagnosis, suggested_actions, created_at)
select h.id, 'latency_p95', 'warning', 285, 270, 0.8, 'Persistent latency p95 breaches detected',
    'Latency p95 exceeded the tolerated breach ratio across post-deployment sequences.',
    '{Review sequence-level metrics for this deployment,Compare with the PRE baseline and secured threshold,Investigate recent code and config changes,Scale or rollback if persistence remains high}', h.at + interval '20 minutes'
from history h where h.number % 7 = 0;
