-- Purpose: the switch of the hand-over from the application's own scheduler, and whether its pending jobs were moved.
-- Locks: email_settings for an instant (a constant default and a nullable column are metadata only); it is ours and has one row.
-- Safe while an older binary runs: yes, it reads neither.
set local lock_timeout = '500ms';
set local statement_timeout = '60s';

alter table public.email_settings
    add column handover boolean not null default true,
    add column jobs_moved_at timestamptz;
comment on column public.email_settings.handover is
'Whether emails that the application schedules in scheduled_jobs are taken out of it and sent from here; false leaves every job to the application''s own sender. Without effect where that table does not exist.';
comment on column public.email_settings.jobs_moved_at is
'When migrate moved the jobs that were pending at the switch, which it does once; null means not yet. By hand: select * from public.email_take_jobs().';
