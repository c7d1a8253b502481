-- A project changes its plan. $1 project, $2 plan.
update public.projects set plan = $2 where id = $1::text::uuid
