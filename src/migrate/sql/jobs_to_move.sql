-- The jobs that are pending at the switch, once; one that is turned off waits until it is turned on.
select public.email_handover_pending() as ids
from public.email_settings s
where s.handover and s.jobs_moved_at is null
