-- Purpose: the journal, which decides duplicates for ever, and what webhooks report about its rows.
-- Locks: when SEQPULSE's own journal exists it is adopted (src/migrate/adopt.rs): columns without a default and a changed default
-- are metadata only, the CHECK is NOT VALID, dropping the two foreign keys locks email_deliveries, users and projects for an
-- instant, and migrate has built the indexes before, while the application went on writing.  Safe while the application's sender runs: yes.
set local lock_timeout = '2s';
set local statement_timeout = '120s';

-- The columns' types are those of the application's own journal.
create table if not exists public.email_deliveries (
    id                  uuid         not null default gen_random_uuid(),
    user_id             uuid         not null,
    project_id          uuid,
    -- squawk-ignore prefer-text-field
    email_type          varchar(40)  not null,
    -- squawk-ignore prefer-text-field
    dedupe_key          varchar(255) not null,
    -- squawk-ignore prefer-text-field
    status              varchar(20)  not null default 'queued',
    -- squawk-ignore prefer-text-field
    provider_message_id varchar(255),
    payload_json        jsonb,
    error_message       text,
    sent_at             timestamptz,
    created_at          timestamptz  not null default public.email_now(),
    outbox_id           bigint,
    provider            text,
    variant             text,
    slot                text,
    slot_category       text,
    constraint email_deliveries_pkey primary key (id)
);

-- What an adopted journal lacks.
alter table public.email_deliveries
    add column if not exists outbox_id bigint,
    add column if not exists provider text,
    add column if not exists variant text,
    add column if not exists slot text,
    add column if not exists slot_category text,
    alter column id set default gen_random_uuid(),
    alter column created_at set default public.email_now();
alter table public.email_deliveries
    add constraint email_deliveries_status_known check (status in ('queued', 'sent', 'failed', 'suppressed')) not valid;

-- An adopted journal cascades from users: deleting a user would erase the memory of what was sent to them.
do $$
declare
    foreign_key name;
begin
    for foreign_key in
        select c.conname from pg_catalog.pg_constraint c
        where c.conrelid = 'public.email_deliveries'::regclass and c.contype = 'f'
    loop
        execute format('alter table public.email_deliveries drop constraint %I', foreign_key);
    end loop;
end
$$;

-- Of pages that are written from now on.
alter table public.email_deliveries set (fillfactor = 45);

comment on table public.email_deliveries is 'The journal and the authority on duplicates: one row per dedupe key, for ever. Written when a row is claimed, settled when the provider answered.';
comment on column public.email_deliveries.id is 'Travels with the message as Resend tag or Postmark metadata "delivery" and comes back in every webhook.';
comment on column public.email_deliveries.user_id is 'The recipient''s user; for an invitation the inviter.';
comment on column public.email_deliveries.project_id is 'The project it is about; null when it is about none.';
comment on column public.email_deliveries.email_type is 'The code of the specification, such as E-TRX-01.';
comment on column public.email_deliveries.dedupe_key is 'Unique: a key that stands here is never sent again.';
comment on column public.email_deliveries.status is 'queued: claimed, not settled yet. sent: accepted by the provider. failed: given up, see error_message. suppressed: not sent on purpose, see payload_json.reason.';
comment on column public.email_deliveries.provider_message_id is 'The provider''s own id; null until accepted.';
comment on column public.email_deliveries.payload_json is 'to_email, subject, context (the figures in the letter) and reason; only the reason, or null, once the user was forgotten or the retention is over.';
comment on column public.email_deliveries.error_message is 'The last failure; null means none.';
comment on column public.email_deliveries.sent_at is 'When the provider accepted it; null unless sent.';
comment on column public.email_deliveries.created_at is 'When it was first claimed.';
comment on column public.email_deliveries.outbox_id is 'The email_outbox row it came from, which is gone after the retention; null for rows of the application''s own sender.';
comment on column public.email_deliveries.provider is 'Which provider it was handed to; null for rows of the application''s own sender and for rows never handed to one.';
comment on column public.email_deliveries.variant is 'The A/B subject used (email_subject_variants); null means the letter''s own subject.';
comment on column public.email_deliveries.slot_category is 'The category of the slot that this letter took, product or marketing; kept because its type may be given another one. null: as slot.';
comment on column public.email_deliveries.slot is 'Whose slot (email_marketing_slots.recipient) this letter took; null: not capped, never handed to a provider, or sent by the application''s own sender.';

-- Under these names src/migrate/sql/journal_indexes.sql builds those of an adopted journal before.  None is over a column that
-- settling changes, and the pages have room (fillfactor): so settling writes a row's new version beside the old one and touches no index.
-- squawk-ignore require-concurrent-index-creation
create unique index if not exists uq_email_deliveries_dedupe_key on public.email_deliveries (dedupe_key);
-- squawk-ignore require-concurrent-index-creation
create index if not exists ix_email_deliveries_user_id on public.email_deliveries (user_id);
-- squawk-ignore require-concurrent-index-creation
create index if not exists ix_email_deliveries_created_at on public.email_deliveries (created_at);
-- squawk-ignore require-concurrent-index-creation
create index if not exists email_deliveries_kpi_idx on public.email_deliveries (email_type, created_at);
comment on index public.email_deliveries_kpi_idx is 'The letters of one code in a period: KPI views.';

create table public.email_events (
    id                bigint      generated always as identity,
    email_delivery_id uuid        not null,
    event_type        text        not null,
    occurred_at       timestamptz not null,
    provider_event_id text,
    details           jsonb       not null default '{}',
    constraint email_events_pkey primary key (id),
    constraint email_events_provider_event_id_key unique (provider_event_id),
    constraint email_events_event_type_known check (event_type in
        ('sent', 'delivered', 'delayed', 'opened', 'clicked', 'bounced', 'complained', 'unsubscribed', 'failed', 'suppressed'))
);
comment on table public.email_events is 'What became of a letter after the provider accepted it, from webhooks and from our own pages.';
comment on column public.email_events.id is 'Order of arrival, which is not the order of the events.';
comment on column public.email_events.email_delivery_id is 'email_deliveries.id. No foreign key: an event may arrive before its row is settled.';
comment on column public.email_events.event_type is 'What happened; opened and clicked are stored only with the user''s tracking_consent.';
comment on column public.email_events.occurred_at is 'When it happened, by the provider''s clock.';
comment on column public.email_events.provider_event_id is 'The provider''s id of the event: the same event twice is stored once. null for events of our own pages.';
comment on column public.email_events.details is 'What else the provider said.';
create index email_events_delivery_idx on public.email_events (email_delivery_id, event_type);
