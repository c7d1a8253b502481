-- What migrate would look at; it reads what each of them holds only when it moves them.
select count(*)
from public.scheduled_jobs j
where j.status = 'pending' and j.job_type in ('email_send', 'notification_outbox')
