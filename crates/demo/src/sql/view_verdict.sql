-- Somebody looks at the latest verdict of a project. $1 user, $2 project.
select public.email_signal('verdict_viewed', $1::text::uuid, $2::text::uuid, jsonb_build_object('deployment_id', d.id))
from (
    select d.id from public.deployments d where d.project_id = $2::text::uuid order by d.deployment_number desc limit 1
) d
