-- What pg_cron would have run by now, had the clock not jumped.
select public.email_run_schedule(s.name)
from public.email_schedules s
where s.enabled and (s.last_started_at is null or s.last_started_at <= public.email_now() - s.every)
