-- Alerts.  Each statement answers one row of one number, and something is wrong when it is above 0.  In Grafana: one alert rule
-- per statement, condition "last() is above 0", evaluated every minute for two minutes.  They run as email_reader.

-- alert: a letter has been due for more than a minute
select count(*) as firing from public.email_health h where h.lag_seconds > 60;

-- alert: no sidecar is alive
select count(*) as firing from public.email_health h where h.workers_alive = 0;

-- alert: sending is paused, or this looks like a restored copy
select count(*) as firing from public.email_health h where h.paused or not h.armed;

-- alert: a type is paused (by hand, or by its blast limit)
select count(*) as firing from public.email_types t where t.paused_at is not null;

-- alert: letters failed in the last hour
select count(*) as firing from public.email_outbox o where o.status = 'failed' and o.finished_at > public.email_now() - interval '1 hour';

-- alert: a trigger missed facts that nothing made up for in half an hour
select count(*) as firing from public.email_trigger_errors e where e.replayed_at is null and e.occurred_at < public.email_now() - interval '30 minutes';

-- alert: a schedule is late
select count(*) as firing from public.email_schedules s where s.enabled and s.last_success_at < public.email_now() - 3 * s.every;

-- alert: more than 0.1 % complaints in a day (of 1,000 letters or more)
select (count(*) >= 1000 and 100.0 * count(*) filter (where c.complained) > 0.1 * count(*))::integer as firing
from public.email_deliveries d
cross join lateral (
    select exists (select from public.email_events e where e.email_delivery_id = d.id and e.event_type = 'complained') as complained
) c
where d.created_at > public.email_now() - interval '1 day' and d.sent_at is not null;

-- alert: more than 4 % hard bounces in a day (of 100 letters or more)
select (count(*) >= 100 and 100.0 * count(*) filter (where b.bounced) > 4 * count(*))::integer as firing
from public.email_deliveries d
cross join lateral (
    select exists (select from public.email_events e where e.email_delivery_id = d.id and e.event_type = 'bounced') as bounced
) b
where d.created_at > public.email_now() - interval '1 day' and d.sent_at is not null;
