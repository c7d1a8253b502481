-- Purpose: facts the application tells us, and what a trigger could not do.
-- Locks: none on existing tables.  Safe while an older binary runs: yes, nothing reads them yet.
set local lock_timeout = '2s';
set local statement_timeout = '60s';

create table public.email_signals (
    id              bigint      generated always as identity,
    kind            text        not null,
    user_id         uuid,
    project_id      uuid,
    payload         jsonb       not null default '{}',
    device          text,
    occurred_at     timestamptz not null,
    idempotency_key text,
    constraint email_signals_pkey primary key (id),
    constraint email_signals_idempotency_key_key unique (idempotency_key),
    constraint email_signals_payload_object check (jsonb_typeof(payload) = 'object'),
    constraint email_signals_kind_known check (kind in
        ('invitation_created', 'invitation_accepted', 'invitation_revoked', 'login', 'suspicious_login', 'quota_refused',
         'pro_feature_attempted', 'payment_failed', 'payment_succeeded', 'nps_answered', 'verdict_viewed', 'plan_changed',
         'user_time_zone', 'project_contact', 'login_confirmed', 'login_disowned', 'still_active', 'integration_check_requested'))
);
comment on table public.email_signals is 'Facts the application knows and no table of its own records; written by email_signal() or a plain INSERT.';
comment on column public.email_signals.id is 'Order of arrival.';
comment on column public.email_signals.kind is 'What happened; which payload keys each kind carries stands in docs/signals.md.';
comment on column public.email_signals.user_id is 'Who did it or whom it concerns; null when it is about a project only.';
comment on column public.email_signals.project_id is 'The project it is about; null when it is about none.';
comment on column public.email_signals.payload is 'The kind''s own keys.';
comment on column public.email_signals.device is 'Of a login: browser and system that its payload''s device names, without versions (email_device); null when it tells none, for other kinds, and once the personal keys were erased.';
comment on column public.email_signals.occurred_at is 'When it happened; email_now() when not given.';
comment on column public.email_signals.idempotency_key is 'The same key twice is stored once, so that the application may retry; null means no such protection.';

create index email_signals_user_idx on public.email_signals (user_id, kind, occurred_at);
create index email_signals_project_idx on public.email_signals (project_id, kind, occurred_at);
-- BRIN: a signal is written within the application's statement, and this index costs it next to nothing.
create index email_signals_age_idx on public.email_signals using brin (occurred_at) with (pages_per_range = 32, autosummarize = on);
comment on index public.email_signals_age_idx is 'Retention.';

-- Look-ups of the codes, partial: a signal pays for those of its kind.
create index email_signals_invitation_idx on public.email_signals ((payload ->> 'invitation_id'))
where kind in ('invitation_accepted', 'invitation_revoked');
-- The text is cut, because an index entry has a limit that a signal must not fail by.
create index email_signals_invitee_idx on public.email_signals (left(lower(btrim(payload ->> 'invitee_email')), 255))
where kind = 'invitation_created';
create index email_signals_paid_idx on public.email_signals ((payload ->> 'invoice_id'))
where kind = 'payment_succeeded';
create index email_signals_counted_idx on public.email_signals (kind, occurred_at) where kind in ('nps_answered', 'payment_failed', 'login_confirmed', 'login_disowned', 'integration_check_requested');
create index email_signals_viewed_idx on public.email_signals ((payload ->> 'deployment_id'), occurred_at) where kind = 'verdict_viewed';
comment on index public.email_signals_invitation_idx is 'Was this invitation accepted or revoked?';
comment on index public.email_signals_invitee_idx is 'Was this address invited?';
comment on index public.email_signals_paid_idx is 'Was this invoice paid?';
comment on index public.email_signals_counted_idx is 'Answers and failed payments of a period: KPI views, email_requests.';
comment on index public.email_signals_viewed_idx is 'When a verdict was first looked at.';

-- Whether a user ever logged in with this device, from this country or city.  Three, because one for all is not chosen for the second.
-- The text is cut (a device when it is reduced), because an index entry has a limit that a login must not fail by.
create index email_signals_device_idx on public.email_signals (user_id, lower(device), occurred_at)
where kind = 'login';
create index email_signals_country_idx on public.email_signals (user_id, left(lower(btrim(payload ->> 'country')), 64), occurred_at)
where kind = 'login';
create index email_signals_city_idx on public.email_signals (user_id, left(lower(btrim(payload ->> 'city')), 64), occurred_at)
where kind = 'login' and payload ? 'city';
comment on index public.email_signals_device_idx is 'When a user logged in with a browser and system: E-SEC-01, E-SEC-02.';
comment on index public.email_signals_country_idx is 'When a user logged in from a country: E-SEC-02.';
comment on index public.email_signals_city_idx is 'When a user logged in from a city: E-SEC-02. Empty where no login tells any.';

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
comment on table public.email_trigger_errors is 'What a trigger of ours could not do: the application''s statement went through, the email was not enqueued. email_replay_errors() makes up for it.';
comment on column public.email_trigger_errors.id is 'Order of arrival.';
comment on column public.email_trigger_errors.source is 'The table whose trigger failed, or the function.';
comment on column public.email_trigger_errors.email_type is 'The code that was to be enqueued; null when it is not about one.';
comment on column public.email_trigger_errors.error is 'SQLSTATE and message.';
comment on column public.email_trigger_errors.row_data is 'The fact: ids and the columns the trigger uses, never secrets; null when there is none.';
comment on column public.email_trigger_errors.occurred_at is 'When.';
comment on column public.email_trigger_errors.replayed_at is 'When it was made up for; null means not yet.';
create index email_trigger_errors_open_idx on public.email_trigger_errors (occurred_at) where replayed_at is null;
-- A column the application dropped makes each of its statements miss the same facts again: one open note per fact is enough.
create unique index email_trigger_errors_once_idx on public.email_trigger_errors
    (source, coalesce(email_type, ''), md5(coalesce(row_data::text, error)))
where replayed_at is null;
comment on index public.email_trigger_errors_once_idx is 'One open note per missed fact.';

-- What the application's engine writes is a fact of its own kind: English that no letter repeats.
create table public.email_engine_texts (
    source  text    not null,
    french  text    not null,
    shown   boolean not null default true,
    shipped text,
    constraint email_engine_texts_pkey primary key (source),
    constraint email_engine_texts_source_form check (source <> '' and source = btrim(regexp_replace(source, '\s+', ' ', 'g'))),
    constraint email_engine_texts_french_said check (btrim(french) <> ''),
    constraint email_engine_texts_nothing_raw check (french !~ '\{(any|url)\}')
);
comment on table public.email_engine_texts is
'What the application''s analysis engine writes in English (summaries, details, titles, diagnoses, actions, errors of collecting), and our French for it. What is not here is left out of letters and listed by email_unknown_engine_texts.';
comment on column public.email_engine_texts.source is
'The text exactly as the engine writes it, runs of blanks collapsed to one. {name} stands for a number or a word that changes; {any} and {url} stand for anything, which no letter repeats.';
comment on column public.email_engine_texts.french is 'What letters say instead; {name} is filled with what stood there. A change by hand is kept when migrate ships a new wording.';
comment on column public.email_engine_texts.shown is
'false: the text is known, and letters leave it out, because it says what their figures say already.';
comment on column public.email_engine_texts.shipped is 'The French that migrate wrote last, to tell a change by hand from ours; null for rows that somebody added.';
