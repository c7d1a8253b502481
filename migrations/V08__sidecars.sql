-- Purpose: the sidecars, their requests (what is sent is on record before it is sent), and the rate budget of the fleet.
-- Locks: none on existing tables.  Safe while an older binary runs: yes, nothing reads them yet.
set local lock_timeout = '2s';
set local statement_timeout = '60s';

create table public.email_workers (
    id            text        not null,
    hostname      text        not null,
    pid           integer     not null,
    version       text        not null,
    provider      text        not null,
    state         text        not null,
    in_flight     integer     not null default 0,
    session_pid   integer,
    session_start timestamptz,
    started_at    timestamptz not null default clock_timestamp(),
    last_seen_at  timestamptz not null default clock_timestamp(),
    lost_at       timestamptz,
    constraint email_workers_pkey primary key (id),
    constraint email_workers_state_known check (state in ('running', 'draining', 'stopped'))
) with (fillfactor = 50);
comment on table public.email_workers is 'A heartbeat per sidecar, by the real clock.';
comment on column public.email_workers.id is 'host:pid:random, as in email_outbox.locked_by.';
comment on column public.email_workers.hostname is 'Where it runs.';
comment on column public.email_workers.pid is 'Its process there.';
comment on column public.email_workers.version is 'Of the binary.';
comment on column public.email_workers.provider is 'As in EMAIL_PROVIDER.';
comment on column public.email_workers.state is 'running, draining (SIGTERM was received) or stopped.';
comment on column public.email_workers.in_flight is 'Letters it holds at the moment.';
comment on column public.email_workers.session_pid is 'Backend pid of its LISTEN connection (pg_stat_activity.pid); null while that is not connected.';
comment on column public.email_workers.session_start is 'backend_start of that session, so that another one with the same pid is not taken for it; null when it is not known.';
comment on column public.email_workers.started_at is 'When it started.';
comment on column public.email_workers.last_seen_at is 'Its last heartbeat; older than three polls means it is gone.';
comment on column public.email_workers.lost_at is 'When another sidecar first saw that session gone; null while it is there, and again after any sign of life.';

create table public.email_batches (
    batch_id        uuid        not null,
    state           text        not null default 'sending',
    provider        text        not null,
    endpoint        text        not null,
    worker          text        not null,
    recovery        text        not null,
    attempt         integer     not null default 1,
    searches        integer     not null default 0,
    first_sent_at   timestamptz not null default clock_timestamp(),
    last_sent_at    timestamptz not null default clock_timestamp(),
    in_flight_until timestamptz not null,
    resolve_until   timestamptz not null,
    patience        interval,
    settled_at      timestamptz,
    members         bigint[]    not null,
    idempotency_key text        not null,
    body_sha256     bytea       not null,
    settings        jsonb       not null,
    tokens          uuid[],
    tracked         boolean[]   not null,
    forget          boolean     not null default false,
    mismatched_at   timestamptz,
    mismatched_by   text,
    constraint email_batches_pkey primary key (batch_id),
    constraint email_batches_state_known check (state in ('sending', 'unknown', 'settled')),
    constraint email_batches_recovery_known check (recovery in ('repeat', 'search', 'again')),
    -- Few, because Postgres reads the text of each anew in every statement that writes the table, and one row is written for each request.
    constraint email_batches_members_not_empty check (cardinality(members) > 0 and cardinality(tracked) = cardinality(members))
);
comment on table public.email_batches is 'One row per API request, committed before the request leaves: a batch without a row here was never sent. Kept as long as sent outbox rows.';
comment on column public.email_batches.batch_id is 'email_outbox.batch_id of its members; Postmark metadata "attempt".';
comment on column public.email_batches.state is 'sending: a request may be under way. unknown: nobody knows whether it was accepted; it is being found out. settled: every member''s outcome is recorded.';
comment on column public.email_batches.provider is 'As in EMAIL_PROVIDER: only a sidecar of the same provider can find out what became of it.';
comment on column public.email_batches.endpoint is 'Path of the request below the provider''s address.';
comment on column public.email_batches.worker is 'email_workers.id of the sidecar that sent it last.';
comment on column public.email_batches.recovery is 'How an unknown outcome is resolved. repeat: the same bytes under the same key. search: the provider''s messages are searched for the batch id. again: nothing to ask, sent again once the lease is over.';
comment on column public.email_batches.attempt is 'How often it was sent.';
comment on column public.email_batches.searches is 'How often the provider''s messages were searched since the outcome became unknown.';
comment on column public.email_batches.first_sent_at is 'By the real clock: the provider''s idempotency key lives from here.';
comment on column public.email_batches.last_sent_at is 'By the real clock: patience with the provider''s search counts from here.';
comment on column public.email_batches.in_flight_until is 'Until then, by the real clock, the latest request may still be under way, whatever became of its sidecar.';
comment on column public.email_batches.resolve_until is 'After this moment of the real clock the provider can no longer tell: what is still unknown then is failed (unknown outcome).';
comment on column public.email_batches.patience is 'How long the search may find nothing before a message counts as not accepted (EMAIL_RECONCILE_SECONDS); null unless recovery is search.';
comment on column public.email_batches.settled_at is 'When, by the real clock; null until it is settled.';
comment on column public.email_batches.members is 'email_outbox.id in the order of the request.';
comment on column public.email_batches.idempotency_key is 'Header Idempotency-Key, derived from the members'' dedupe keys and attempts.';
comment on column public.email_batches.body_sha256 is 'SHA-256 of the request''s body: a sidecar whose rendering gives another one does not repeat it.';
comment on column public.email_batches.settings is 'What shaped the body besides the members: version, sender, addresses. No secret is among it.';
comment on column public.email_batches.tokens is 'The members'' unsubscribe tokens, frozen; null when no letter has one.';
comment on column public.email_batches.tracked is 'Whether opens and clicks of each member are tracked, frozen.';
comment on column public.email_batches.forget is 'Whether members were asked to be forgotten while their outcome was unknown: they are erased when the request is settled.';
comment on column public.email_batches.mismatched_at is 'When a sidecar last left it alone because its own rendering differs; null means none did.';
comment on column public.email_batches.mismatched_by is 'Which sidecar did, and what it would have rendered with.';
create index email_batches_open_idx on public.email_batches (first_sent_at) where state <> 'settled';
create index email_batches_settled_idx on public.email_batches (settled_at) where state = 'settled';
comment on index public.email_batches_open_idx is 'What is under way or unknown.';
comment on index public.email_batches_settled_idx is 'Retention.';

create table public.email_rates (
    provider       text             not null,
    ceiling        double precision not null,
    per_second     double precision not null,
    provider_limit double precision,
    next_at        timestamptz      not null default clock_timestamp(),
    adjusted_at    timestamptz      not null default clock_timestamp(),
    limited        bigint           not null default 0,
    limited_at     timestamptz,
    constraint email_rates_pkey primary key (provider),
    constraint email_rates_positive check (ceiling > 0 and per_second > 0 and provider_limit > 0)
) with (fillfactor = 50);
comment on table public.email_rates is 'The rate budget of the whole fleet, one row per provider: sidecars take their turn here before every request.';
comment on column public.email_rates.provider is 'As in EMAIL_PROVIDER.';
comment on column public.email_rates.ceiling is 'EMAIL_RATE_PER_SECOND of the sidecar that asked last.';
comment on column public.email_rates.per_second is 'Requests a second at the moment: lowered when the provider says "too many", and recovering to the ceiling within a minute.';
comment on column public.email_rates.provider_limit is 'What the provider''s own header says it allows; null until it said so.';
comment on column public.email_rates.next_at is 'When the next request may leave, by the real clock.';
comment on column public.email_rates.adjusted_at is 'When per_second was last adjusted.';
comment on column public.email_rates.limited is 'How often the provider said "too many requests" (429).';
comment on column public.email_rates.limited_at is 'When it last did; null means never.';
