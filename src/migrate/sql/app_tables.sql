select string_agg(t.name, ', ' order by t.name)
from unnest(array['users', 'projects', 'deployments', 'deployment_verdicts', 'metric_samples', 'sdh_hints']) as t (name)
where to_regclass('public.' || t.name) is null
