-- Purpose: facts the application tells us, and what a trigger could not do.
-- Locks: none on existing tables.  Safe while an older binary runs: yes.
set local lock_timeout = '2s';
set local statement_timeout = '60s';

create table public.email_signals (
    id              bigint      generated always as identity,
    kind            text        not null,
    user_id         uuid,
    project_id      uuid,
    payload         jsonb       not null default '{}',
    occurred_at     timestamptz not null,
    idempotency_key text,
    constraint email_signals_pkey primary key (id),
    constraint email_signals_idempotency_key_key unique (idempotency_key),
    constraint email_signals_payload_object check (jsonb_typeof(payload) = 'object'),
    constraint email_signals_kind_known check (kind in
        ('invitation_created', 'invitation_accepted', 'invitation_revoked', 'login', 'suspicious_login', 'quota_refused',
         'pro_feature_attempted', 'payment_failed', 'payment_succeeded', 'nps_answered', 'verdict_viewed', 'plan_changed'))
);
create index email_signals_user_idx on public.email_signals (user_id, kind, occurred_at);
create index email_signals_project_idx on public.email_signals (project_id, kind, occurred_at);
comment on table public.email_signals is 'Facts the application knows and no table of its own records; written by email_signal() or a plain INSERT.';
comment on column public.email_signals.id is 'Order of arrival.';
comment on column public.email_signals.kind is 'What happened; which payload keys each kind carries stands in docs/signals.md.';
comment on column public.email_signals.user_id is 'Who did it or whom it concerns; null when it is about a project only.';
comment on column public.email_signals.project_id is 'The project it is about; null when it is about none.';
comment on column public.email_signals.payload is 'The kind''s own keys.';
comment on column public.email_signals.occurred_at is 'When it happened; email_now() when not given.';
comment on column public.email_signals.idempotency_key is 'The same key twice is stored once, so that the application may retry; null means no such protection.';

create table public.email_trigger_errors (
    id          bigint      generated always as identity,
    source      text        not null,
    email_type  text,
    error       text        not null,
    row_data    jsonb,
    occurred_at timestamptz not null default public.email_now(),
    replayed_at timestamptz,
    constraint email_trigger_errors_pkey primary key (id)
);
create index email_trigger_errors_open_idx on public.email_trigger_errors (occurred_at) where replayed_at is null;
comment on table public.email_trigger_errors is 'What a trigger of ours could not do: the application''s statement went through, the email was not enqueued. email_replay_errors() makes up for it.';
comment on column public.email_trigger_errors.id is 'Order of arrival.';
comment on column public.email_trigger_errors.source is 'The table whose trigger failed, or the function.';
comment on column public.email_trigger_errors.email_type is 'The code that was to be enqueued; null when it is not about one.';
comment on column public.email_trigger_errors.error is 'SQLSTATE and message.';
comment on column public.email_trigger_errors.row_data is 'The fact: ids and the columns the trigger uses, never secrets; null when there is none.';
comment on column public.email_trigger_errors.occurred_at is 'When.';
comment on column public.email_trigger_errors.replayed_at is 'When it was made up for; null means not yet.';
