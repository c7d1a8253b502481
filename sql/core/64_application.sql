-- What we read of the application: the one list that doctor holds against its tables.  The application may change them as it
-- likes (docs/rules.md#good-neighbour); then this says which letters feel it.  tests/sql/application.sql runs every letter on tables that
-- have nothing else.
create or replace function public.email_application_columns() returns table (table_name text, column_name text, needed_for text)
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
values
    ('users', 'id', 'every letter'),
    ('users', 'name', 'every letter'),
    ('users', 'email', 'every letter'),
    ('users', 'is_active', 'every letter'),
    ('users', 'created_at', 'E-TRX-01, E-ACT-01, E-ACT-02, E-RET-01, E-RET-03, E-RET-04, E-ADV-01'),
    ('users', 'twofa_last_verified_at', 'E-RET-03, E-RET-04, E-ADV-01, segments'),
    ('users', 'twofa_enabled', 'E-SEC-01, segments'),
    ('projects', 'id', 'every letter about a project'),
    ('projects', 'name', 'every letter about a project'),
    ('projects', 'owner_id', 'every letter about a project'),
    ('projects', 'plan', 'E-ACT-04, E-ACT-05, E-CONV-*, E-BILL-01, segments'),
    ('projects', 'envs', 'E-ACT-02, E-ACT-03'),
    ('projects', 'created_at', 'E-ACT-02, E-CONV-05, E-RET-*, E-BILL-02, E-ADV-01, links'),
    ('deployments', 'id', 'every letter about deployments'),
    ('deployments', 'project_id', 'every letter about deployments'),
    ('deployments', 'deployment_number', 'E-ACT-03, E-ACT-04, E-ACT-05'),
    ('deployments', 'env', 'E-ACT-02, E-ACT-03, E-ACT-04, E-ACT-05'),
    ('deployments', 'state', 'E-ACT-03, E-ADV-01'),
    ('deployments', 'started_at', 'every letter about deployments'),
    ('deployments', 'finished_at', 'E-ACT-03'),
    ('deployments', 'pipeline_result', 'E-BILL-02, reports'),
    ('deployment_verdicts', 'deployment_id', 'E-ACT-04, E-ACT-05, E-BILL-02, reports'),
    ('deployment_verdicts', 'verdict', 'E-ACT-04, E-ACT-05, E-BILL-02, reports'),
    ('deployment_verdicts', 'confidence', 'E-ACT-04, E-ACT-05'),
    ('deployment_verdicts', 'summary', 'E-ACT-04, E-ACT-05, reports'),
    ('deployment_verdicts', 'details', 'E-ACT-04, E-ACT-05'),
    ('deployment_verdicts', 'created_at', 'E-ACT-04, E-ACT-05'),
    ('metric_samples', 'deployment_id', 'E-ACT-04, E-ACT-05, reports'),
    ('metric_samples', 'phase', 'E-ACT-04, E-ACT-05, reports'),
    ('metric_samples', 'latency_p95', 'E-ACT-04, E-ACT-05, reports'),
    ('metric_samples', 'error_rate', 'E-ACT-04, E-ACT-05'),
    ('metric_samples', 'requests_per_sec', 'E-ACT-04, E-ACT-05'),
    ('metric_samples', 'cpu_usage', 'E-ACT-04, E-ACT-05'),
    ('metric_samples', 'memory_usage', 'E-ACT-04, E-ACT-05'),
    ('sdh_hints', 'deployment_id', 'E-ACT-04, E-ACT-05'),
    ('sdh_hints', 'metric', 'E-ACT-04, E-ACT-05'),
    ('sdh_hints', 'severity', 'E-ACT-04, E-ACT-05'),
    ('sdh_hints', 'confidence', 'E-ACT-04, E-ACT-05'),
    ('sdh_hints', 'title', 'E-ACT-04, E-ACT-05'),
    ('sdh_hints', 'diagnosis', 'E-ACT-04, E-ACT-05'),
    ('sdh_hints', 'suggested_actions', 'E-ACT-04, E-ACT-05')
$$;
comment on function public.email_application_columns() is
'The columns of the application''s tables that triggers, scans and figures read, and what for. doctor says which of them are gone.';
revoke all on function public.email_application_columns() from public;
select public.email_grant('execute on function public.email_application_columns()', r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name);
