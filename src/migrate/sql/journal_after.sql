-- What the adopted journal holds, by status.
select
    count(*) as rows,
    count(*) filter (where d.status = 'sent') as sent,
    count(*) filter (where d.status = 'suppressed') as suppressed,
    count(*) filter (where d.status = 'failed') as failed,
    count(*) filter (where d.status = 'queued') as unknown
from public.email_deliveries d
