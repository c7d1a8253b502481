-- Purpose: what runs by the clock.
-- Locks: none on existing tables.  Safe while an older binary runs: yes, nothing reads it yet.
set local lock_timeout = '2s';
set local statement_timeout = '60s';

create table public.email_schedules (
    name            text        not null,
    runs            text        not null,
    code            text,
    every           interval    not null,
    cron            text        not null,
    enabled         boolean     not null default true,
    cron_job_id     bigint,
    last_started_at timestamptz,
    last_success_at timestamptz,
    last_duration   interval,
    last_rows       integer,
    last_error      text,
    last_run_by     text,
    constraint email_schedules_pkey primary key (name),
    constraint email_schedules_code_fkey foreign key (code) references public.email_types (code),
    constraint email_schedules_runs_ours check (runs ~ '^email_[a-z0-9_]+$'),
    constraint email_schedules_every_positive check (every >= interval '1 minute'),
    constraint email_schedules_cron_form check (cron ~ '^\S+( \S+){4}$')
) with (fillfactor = 50);
comment on table public.email_schedules is 'What runs by the clock: by pg_cron where it is installed, otherwise (or when its jobs fail) by whichever sidecar comes first. After editing a row: select email_schedule_sync().';
comment on column public.email_schedules.name is 'What it is, for people; the pg_cron job is called "seqpulse-mailer: " and this.';
comment on column public.email_schedules.runs is 'The function that is called: public.<runs>(code), or public.<runs>() when code is null. It answers how many rows it dealt with.';
comment on column public.email_schedules.code is 'The kind of email it scans for; null means that it is not a scan.';
comment on column public.email_schedules.every is 'How often it is meant to run. A sidecar runs it when its last success is older than this (without a pg_cron job) or than twice this (with one).';
comment on column public.email_schedules.cron is 'The same for pg_cron, in UTC (pg_cron''s default): minute hour day month weekday.';
comment on column public.email_schedules.enabled is 'false: neither pg_cron nor a sidecar runs it.';
comment on column public.email_schedules.cron_job_id is 'cron.job.jobid, filled by email_schedule_sync(); null means that the sidecars run it.';
comment on column public.email_schedules.last_started_at is 'When it was last started, by email_now(); null means never.';
comment on column public.email_schedules.last_success_at is 'When it last ended well, by email_now(); null means never.';
comment on column public.email_schedules.last_duration is 'How long the last run took, by the real clock; null means never.';
comment on column public.email_schedules.last_rows is 'How many rows the last run that ended well dealt with: letters enqueued, errors replayed, rows removed. null means never.';
comment on column public.email_schedules.last_error is 'SQLSTATE and message of the last run; null means that it ended well.';
comment on column public.email_schedules.last_run_by is 'Who ran it last: pg_cron, a sidecar (email_workers.id) or a person''s role; null means it never ran.';
create unique index email_schedules_code_idx on public.email_schedules (code);

insert into public.email_schedules (name, runs, code, every, cron) values
('scan E-CONV-01',      'email_scan',              'E-CONV-01', '15 minutes', '*/15 * * * *'),
('scan E-CONV-02',      'email_scan',              'E-CONV-02', '15 minutes', '1-59/15 * * * *'),
('scan E-CONV-05',      'email_scan',              'E-CONV-05', '1 hour',     '2 * * * *'),
('scan E-RET-01',       'email_scan',              'E-RET-01',  '1 hour',     '5 * * * *'),
('scan E-RET-02',       'email_scan',              'E-RET-02',  '1 day',      '10 6 * * *'),
('scan E-RET-03',       'email_scan',              'E-RET-03',  '1 day',      '20 6 * * *'),
('scan E-RET-04',       'email_scan',              'E-RET-04',  '1 day',      '30 6 * * *'),
('scan E-ADV-01',       'email_scan',              'E-ADV-01',  '1 day',      '40 6 * * *'),
('replay errors',       'email_replay_errors',     null,        '15 minutes', '8-59/15 * * * *'),
-- In batches of 20,000: every five minutes that keeps up with five million letters a day.
('clean up outbox',     'email_cleanup',           null,        '5 minutes',  '*/5 * * * *'),
('clean up pg_cron',    'email_cron_cleanup',      null,        '1 day',      '50 3 * * *'),
('clean up slots',      'email_cleanup_slots',     null,        '1 day',      '45 3 * * *'),
('clean up events',     'email_cleanup_events',    null,        '1 hour',     '41 * * * *'),
('erase contexts',      'email_erase_contexts',    null,        '1 hour',     '47 * * * *');
