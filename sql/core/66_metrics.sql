-- What monitoring reads of the database, as rows; the sidecars show them at /metrics once a minute, and any exporter can.

create or replace function public.email_reason_class(status text, reason text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
select case
    when status = 'sent' then ''
    when reason is null then case status when 'failed' then 'rejected' else '' end
    when reason ~ '^[0-9A-Z]{5}: ' then 'error'
    when reason in ('superseded', 'expired', 'holdout', 'no such user', 'forgotten', 'type disabled', 'type paused', 'user not active', 'unknown outcome') then reason
    when reason like 'opted out%' then 'opted out'
    when reason like 'address suppressed%' then 'address suppressed'
    when reason like 'duplicate%' then 'duplicate'
    when reason like 'given up%' then 'given up'
    when reason like 'cancel%' then 'cancelled'
    when status = 'failed' then 'rejected'
    else 'not true any more'
end
$$;
comment on function public.email_reason_class(text, text) is
'A row''s reason as one of a dozen words, for counting: what only one letter''s "still true" says is "not true any more".';
revoke all on function public.email_reason_class(text, text) from public;

drop view if exists public.email_recent;
create view public.email_recent as
select r.email_type, r.status, r.reason_class, count(*) as letters, max(r.finished_at) as last_finished
from (
    select o.email_type, o.status, public.email_reason_class(o.status, o.reason) as reason_class, o.finished_at
    from public.email_outbox o
    where o.finished_at > public.email_now() - interval '1 hour'
) r
group by r.email_type, r.status, r.reason_class
order by r.email_type, r.status, r.reason_class;
comment on view public.email_recent is 'What ended in the last hour, by type, status and kind of reason.';
comment on column public.email_recent.email_type is 'A code of email_types.';
comment on column public.email_recent.status is 'sent, failed or suppressed.';
comment on column public.email_recent.reason_class is 'As email_reason_class says; empty for what was sent.';
comment on column public.email_recent.letters is 'How many.';
comment on column public.email_recent.last_finished is 'When the latest of them ended.';

-- Through a function, so that the views it reads can be dropped and made again without it.
create or replace function public.email_metrics_now()
returns table (name text, email_type text, status text, reason_class text, value double precision)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
select v.name, null::text, null::text, null::text, v.value
from public.email_health h
cross join lateral (
    values
        ('lag_seconds', h.lag_seconds::double precision),
        ('due', h.due::double precision),
        ('in_flight', h.in_flight::double precision),
        ('failed', h.failed::double precision),
        ('workers_alive', h.workers_alive::double precision),
        ('open_trigger_errors', h.open_trigger_errors::double precision),
        ('paused_types', coalesce(cardinality(h.paused_types), 0)::double precision),
        ('retries_waiting', (select count(*) from public.email_outbox o where o.status = 'queued' and o.retry_at is not null)::double precision),
        ('unresolved', (
            select count(*) from public.email_outbox o
            where o.status = 'sending' and o.locked_until is not null and o.claimed_at < clock_timestamp() - interval '2 minutes'
        )::double precision),
        ('schedules_late', (
            select count(*) from public.email_schedules s where s.enabled and coalesce(s.last_success_at, '-infinity') < public.email_now() - 3 * s.every
        )::double precision)
) v (name, value)
union all
select 'ended_last_hour', r.email_type, r.status, r.reason_class, r.letters::double precision from public.email_recent r
$$;
comment on function public.email_metrics_now() is 'What the view email_metrics shows.';
revoke all on function public.email_metrics_now() from public;

drop view if exists public.email_metrics;
create view public.email_metrics as
select m.name, m.email_type, m.status, m.reason_class, m.value from public.email_metrics_now() m;
comment on view public.email_metrics is
'Figures for monitoring, one a row: the same whoever asks, so take the maximum over sidecars and not the sum.';
comment on column public.email_metrics.name is
'lag_seconds, due, in_flight, failed, workers_alive, open_trigger_errors as in email_health; paused_types how many; retries_waiting: rows whose backoff runs; unresolved: claimed more than two minutes ago and still not settled; schedules_late: not run well for three of their intervals; ended_last_hour as in email_recent.';
comment on column public.email_metrics.email_type is 'A code of email_types; null unless the figure is ended_last_hour.';
comment on column public.email_metrics.status is 'sent, failed or suppressed; null unless the figure is ended_last_hour.';
comment on column public.email_metrics.reason_class is 'As in email_recent; null unless the figure is ended_last_hour.';
comment on column public.email_metrics.value is 'The figure.';

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_worker', 'email_reader', 'email_admin']) r (role_name)
cross join (values ('select on public.email_recent, public.email_metrics'), ('execute on function public.email_reason_class(text, text), public.email_metrics_now()')) g (privileges);
