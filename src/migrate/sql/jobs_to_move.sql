-- The jobs that are pending at the switch, once; while the hand-over is turned off they wait.
select public.email_handover_pending() as ids
from public.email_settings s
where s.handover and s.jobs_moved_at is null
