-- Purpose: how long what is personal, and what webhooks reported, is kept.
-- Locks: email_settings and email_schedules for an instant; a BRIN index on email_signals, which locks writers for one read of it
-- (lock_timeout bounds the wait, not the read: about a second per 10 million signals).
-- Safe while an older binary runs: yes, it reads none of it.
set local lock_timeout = '2s';
set local statement_timeout = '60s';

-- The table has one row: checking it takes no time worth avoiding.
alter table public.email_settings
    add column retention_context interval not null default '400 days',
    add column retention_events interval not null default '400 days',
    add column context_erased_until timestamptz not null default '-infinity',
    -- squawk-ignore constraint-missing-not-valid
    add constraint email_settings_retention_personal_range check (retention_context >= interval '30 days' and retention_events >= interval '30 days');
comment on column public.email_settings.retention_context is
'How long the journal keeps address, subject, context and error text of a letter, and email_signals the personal keys of a fact; then they are erased. Keys, status, reason and times stay for ever. At least 30 days: sequences and repeated requests need them. 400 days: figures can be compared with the same month of last year.';
comment on column public.email_settings.retention_events is
'How long email_events stay; the views look back 30 days, so at least that.';
comment on column public.email_settings.context_erased_until is
'Kept by email_erase_contexts(): everything created before this moment has been erased, and is not looked at again.';

-- BRIN: a signal is written within the application's statement, and this index costs it next to nothing.
-- squawk-ignore require-concurrent-index-creation
create index email_signals_age_idx on public.email_signals using brin (occurred_at) with (pages_per_range = 32, autosummarize = on);
comment on index public.email_signals_age_idx is 'Retention.';

-- What ended is removed in batches of 20,000: every five minutes that keeps up with five million letters a day.
update public.email_schedules set every = '5 minutes', cron = '*/5 * * * *' where name = 'clean up outbox' and every = '15 minutes' and cron = '11-59/15 * * * *';
insert into public.email_schedules (name, runs, code, every, cron) values
('clean up events', 'email_cleanup_events', null, '1 hour', '41 * * * *'),
('erase contexts',  'email_erase_contexts', null, '1 hour', '47 * * * *');

-- Cleaning up became SECURITY DEFINER: a sidecar deletes nothing but heartbeats.
do $$
begin
    if exists (select from pg_catalog.pg_roles r where r.rolname = 'email_worker') then
        revoke delete on public.email_outbox, public.email_trigger_errors from email_worker;
    end if;
end
$$;
