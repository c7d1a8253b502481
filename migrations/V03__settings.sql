-- Purpose: the one row of settings: whether anything is sent, the cap, the hand-over, and how long what is kept.
-- Locks: none on existing tables.  Safe while an older binary runs: yes, nothing reads it yet.
set local lock_timeout = '2s';
set local statement_timeout = '60s';

create table public.email_settings (
    id                   boolean     not null default true,
    armed_for            text,
    paused_at            timestamptz,
    paused_by            text,
    paused_reason        text,
    probe_at             timestamptz,
    probes               integer     not null default 0,
    probed_by            text,
    marketing_cooldown   interval    not null default '24 hours',
    cooldown_raised_at   timestamptz,
    lookahead            interval    not null default '2 hours',
    blast_limit          integer     not null default 10000,
    notify               boolean     not null default true,
    handover             boolean     not null default true,
    jobs_moved_at        timestamptz,
    retention_sent       interval    not null default '7 days',
    retention_failed     interval    not null default '90 days',
    retention_context    interval    not null default '400 days',
    retention_events     interval    not null default '400 days',
    context_erased_until timestamptz not null default '-infinity',
    constraint email_settings_pkey primary key (id),
    constraint email_settings_one_row check (id),
    constraint email_settings_paused_by_known check (paused_by in ('provider', 'person')),
    constraint email_settings_paused_reason_only_paused check (paused_reason is null or paused_at is not null),
    constraint email_settings_probe_only_provider check (probe_at is null or paused_by = 'provider'),
    constraint email_settings_marketing_cooldown_not_negative check (marketing_cooldown >= interval '0'),
    constraint email_settings_lookahead_not_negative check (lookahead >= interval '0'),
    constraint email_settings_blast_limit_positive check (blast_limit > 0),
    constraint email_settings_retention_positive check (retention_sent > interval '0' and retention_failed > interval '0'),
    constraint email_settings_retention_personal_range check (retention_context >= interval '30 days' and retention_events >= interval '30 days')
);
comment on table public.email_settings is 'One row: what holds for every kind of email.';
comment on column public.email_settings.id is 'Always true: there is one row.';
comment on column public.email_settings.armed_for is 'The email_identity() this database may send from; null or another one (a restored copy) means nothing is sent until email_arm() is called.';
comment on column public.email_settings.paused_at is 'Since when nothing at all is sent; null means running. Set by email_pause(null), or by a sidecar when the provider refuses the whole account.';
comment on column public.email_settings.paused_by is 'provider: a sidecar stopped because the provider refuses the whole account, and one message probes from time to time. person, or null while paused: only email_resume() starts again.';
comment on column public.email_settings.paused_reason is 'Why nothing is sent; null means running, or no reason given.';
comment on column public.email_settings.probe_at is 'When one message will try whether the provider takes mail again, by the real clock; null unless paused by the provider.';
comment on column public.email_settings.probes is 'How many probes were refused since it paused: each doubles the wait, up to an hour.';
comment on column public.email_settings.probed_by is 'The sidecar that holds the latest probe; null means none was made.';
comment on column public.email_settings.marketing_cooldown is 'At most one capped email per recipient in this time.';
comment on column public.email_settings.cooldown_raised_at is 'When marketing_cooldown was last raised: email_cap_violations does not hold letters against a rule that came after them. null means never.';
comment on column public.email_settings.lookahead is 'A lighter capped email does not take the slot while a heavier one for the same recipient falls due within this time.';
comment on column public.email_settings.blast_limit is 'A scan that would enqueue more rows than this in one run enqueues nothing and pauses its type; email_types.params.blast_limit overrides it.';
comment on column public.email_settings.notify is 'false for applications that use PREPARE TRANSACTION (it cannot be combined with NOTIFY): the poll then serves.';
comment on column public.email_settings.handover is 'Whether emails that the application schedules in scheduled_jobs are taken out of it and sent from here; false leaves every job to the application''s own sender. Without effect where that table does not exist.';
comment on column public.email_settings.jobs_moved_at is 'When migrate moved the jobs that were pending at the switch, which it does once; null means not yet. By hand: select * from public.email_take_jobs().';
comment on column public.email_settings.retention_sent is 'How long sent and suppressed outbox rows stay; the journal keeps their keys for ever.';
comment on column public.email_settings.retention_failed is 'How long failed outbox rows stay.';
comment on column public.email_settings.retention_context is 'How long the journal keeps address, subject, context and error text of a letter, and email_signals the personal keys of a fact; then they are erased. Keys, status, reason and times stay for ever. At least 30 days: sequences and repeated requests need them. 400 days: figures can be compared with the same month of last year.';
comment on column public.email_settings.retention_events is 'How long email_events stay; the views look back 30 days, so at least that.';
comment on column public.email_settings.context_erased_until is 'Kept by email_erase_contexts(): everything created before this moment has been erased, and is not looked at again.';

insert into public.email_settings (armed_for) values (public.email_identity());

create table public.email_secrets (
    id      boolean not null default true,
    answers bytea   not null default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
    constraint email_secrets_pkey primary key (id),
    constraint email_secrets_one_row check (id),
    constraint email_secrets_answers_long check (octet_length(answers) >= 32)
);
comment on table public.email_secrets is 'One row: what only this database knows. Nobody is granted it; functions use it.';
comment on column public.email_secrets.id is 'Always true: there is one row.';
comment on column public.email_secrets.answers is 'What the tokens of /answer/ are made with; another value ends every such link that is out.';
insert into public.email_secrets default values;
