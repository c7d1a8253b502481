-- The views for a first look: counts, health, what goes out next, and breaches of the cap.  Dropped and made again, so that a column may be added anywhere; nothing of ours depends on a view.

drop view if exists public.email_outbox_summary;
create view public.email_outbox_summary as
select
    t.code as email_type,
    o.status,
    count(*) as emails,
    min(o.run_at) filter (where o.status = 'queued') as oldest_due,
    max(o.finished_at) as last_finished
from public.email_types t
join public.email_outbox o on o.email_type = t.code
group by t.code, o.status
order by t.code, o.status;
comment on view public.email_outbox_summary is 'The outbox by type and status.';
comment on column public.email_outbox_summary.email_type is 'A code of email_types.';
comment on column public.email_outbox_summary.status is 'As in email_outbox.';
comment on column public.email_outbox_summary.emails is 'How many rows.';
comment on column public.email_outbox_summary.oldest_due is 'The earliest run_at among the queued ones; null for other statuses. In the past: work is waiting.';
comment on column public.email_outbox_summary.last_finished is 'When the latest of them ended; null while none did.';

drop view if exists public.email_health;
create view public.email_health as
select
    coalesce(extract(epoch from public.email_now() - min(o.run_at) filter (where o.status = 'queued' and o.retry_at is null and o.run_at <= public.email_now())), 0)::numeric(12, 1) as lag_seconds,
    count(*) filter (where o.status = 'queued' and o.retry_at is null and o.run_at <= public.email_now()) as due,
    count(*) filter (where o.status = 'sending') as in_flight,
    count(*) filter (where o.status = 'failed') as failed,
    (select count(*) from public.email_workers w where w.state <> 'stopped' and w.last_seen_at > clock_timestamp() - interval '30 seconds') as workers_alive,
    (select s.paused_at is not null from public.email_settings s) as paused,
    (select s.paused_reason from public.email_settings s) as paused_reason,
    (select array_agg(t.code order by t.code) from public.email_types t where t.paused_at is not null) as paused_types,
    (select s.armed_for is not distinct from public.email_identity() from public.email_settings s) as armed,
    (select count(*) from public.email_trigger_errors e where e.replayed_at is null) as open_trigger_errors
from public.email_outbox o
where o.status in ('queued', 'sending', 'failed');
comment on view public.email_health is 'One row: is it alive, and is anything wrong?';
comment on column public.email_health.lag_seconds is 'How long the oldest due row has been waiting; alert above 60.';
comment on column public.email_health.due is 'Rows that could go out now.';
comment on column public.email_health.in_flight is 'Rows a sidecar holds.';
comment on column public.email_health.failed is 'Rows that were given up within the retention; look at last_error.';
comment on column public.email_health.workers_alive is 'Sidecars seen in the last 30 seconds; alert on 0.';
comment on column public.email_health.paused is 'Whether everything is stopped.';
comment on column public.email_health.paused_reason is 'Why; null when it is not, or no reason was given.';
comment on column public.email_health.paused_types is 'Types that are paused on their own; null when none is.';
comment on column public.email_health.armed is 'false: this looks like a restored copy, nothing is sent until email_arm() is called.';
comment on column public.email_health.open_trigger_errors is 'Facts a trigger could not enqueue and that were not replayed yet.';

select public.email_grant('select on public.email_outbox_summary, public.email_health', r.role_name)
from unnest(array['email_worker', 'email_reader', 'email_admin']) r (role_name);

drop view if exists public.email_upcoming;
create view public.email_upcoming as
select o.id, o.email_type, o.user_id, o.project_id, w.goes_out_at, w.waits_for, o.due_at, o.due_at + t.expires_after as expires_at, o.rank, o.attempts
from public.email_outbox o
join public.email_types t on t.code = o.email_type
cross join public.email_settings s
cross join lateral (select o.retry_at + (public.email_now() - now()) as retry_at) r
cross join lateral (
    select
        case
            when s.paused_at is not null or t.paused_at is not null then null
            else greatest(o.run_at, r.retry_at, public.email_now())
        end as goes_out_at,
        case
            when s.paused_at is not null then 'everything is paused' || coalesce(': ' || s.paused_reason, '')
            when t.paused_at is not null then 'type paused' || coalesce(': ' || t.paused_reason, '')
            when r.retry_at > public.email_now() then format('another try, after %s of %s', o.attempts, t.max_attempts)
            when o.run_at > public.email_now() and o.reason is not null then o.reason
            when o.run_at > public.email_now() then 'its time'
            else 'the next claim'
        end as waits_for
) w
where o.status = 'queued';
comment on view public.email_upcoming is 'What is queued: when each letter goes out (every gate is asked again then), and what it waits for. select … order by goes_out_at.';
comment on column public.email_upcoming.id is 'email_outbox.id; email_explain(id) tells the rest.';
comment on column public.email_upcoming.email_type is 'A code of email_types.';
comment on column public.email_upcoming.user_id is 'As in email_outbox.';
comment on column public.email_upcoming.project_id is 'The project it is about; null when it is about none.';
comment on column public.email_upcoming.goes_out_at is 'When it is claimed, by email_now(), should nothing be in the way then; null: not before what is paused is resumed.';
comment on column public.email_upcoming.waits_for is 'Its time, the cap, another try, a pause, or only the next claim.';
comment on column public.email_upcoming.due_at is 'When it was meant to go out first.';
comment on column public.email_upcoming.expires_at is 'From then on it is suppressed instead.';
comment on column public.email_upcoming.rank is 'Its priority: higher goes first.';
comment on column public.email_upcoming.attempts is 'Requests that failed so far.';

drop view if exists public.email_cap_violations;
create view public.email_cap_violations as
select l.user_id, l.earlier_type, l.earlier_delivery_id, l.earlier_sent_at, l.email_type as later_type, l.id as later_delivery_id, l.sent_at as later_sent_at,
    l.sent_at - l.earlier_sent_at as gap, l.category
from (
    select d.id, d.user_id, d.email_type, d.sent_at, coalesce(d.slot_category, t.category) as category,
        lag(d.email_type) over w as earlier_type, lag(d.id) over w as earlier_delivery_id, lag(d.sent_at) over w as earlier_sent_at
    from public.email_deliveries d
    join public.email_types t on t.code = d.email_type
    where d.sent_at is not null
    -- What took a slot; of the application's own sender, what would have to.
    and (d.slot is not null or d.outbox_id is null and t.capped)
    window w as (partition by coalesce(d.slot, d.user_id::text), coalesce(d.slot_category, t.category) order by d.sent_at, d.id)
) l
cross join public.email_settings s
where l.sent_at - l.earlier_sent_at < s.marketing_cooldown
and l.earlier_sent_at > coalesce(s.cooldown_raised_at, '-infinity');
comment on view public.email_cap_violations is
'The proof of the cap, over the whole journal: two capped letters of one recipient and category closer to each other than email_settings.marketing_cooldown. Always empty, save for what an adopted journal brings along.';
comment on column public.email_cap_violations.user_id is 'The user of the later letter.';
comment on column public.email_cap_violations.earlier_type is 'The code of the earlier letter.';
comment on column public.email_cap_violations.earlier_delivery_id is 'Its email_deliveries.id.';
comment on column public.email_cap_violations.earlier_sent_at is 'When it was sent.';
comment on column public.email_cap_violations.later_type is 'The code of the later letter.';
comment on column public.email_cap_violations.later_delivery_id is 'Its email_deliveries.id.';
comment on column public.email_cap_violations.later_sent_at is 'When it was sent.';
comment on column public.email_cap_violations.gap is 'The time between them.';
comment on column public.email_cap_violations.category is 'Whose slot both had: product or marketing, as it was when they took it.';

select public.email_grant('select on public.email_upcoming, public.email_cap_violations', r.role_name) from unnest(array['email_reader', 'email_admin']) r (role_name);
