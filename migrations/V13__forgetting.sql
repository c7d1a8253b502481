-- Purpose: requests that wait for their outcome before a member of theirs can be forgotten; the daily removal of slots nobody
-- needs any more; what the journal keeps of a forgotten letter.
-- Locks: email_batches for an instant (a column with a constant default is metadata only).
-- Safe while an older binary runs: yes, it reads none of these.
set local lock_timeout = '2s';
set local statement_timeout = '60s';

alter table public.email_batches add column forget boolean not null default false;
comment on column public.email_batches.forget is
'Whether members were asked to be forgotten while their outcome was unknown: they are erased when the request is settled.';

comment on column public.email_deliveries.payload_json is
'to_email, subject, context (the figures in the letter) and reason; only the reason, or null, once the user was forgotten or the retention is over.';

insert into public.email_schedules (name, runs, code, every, cron) values
('clean up slots', 'email_cleanup_slots', null, '1 day', '45 3 * * *');
