-- Purpose: webhooks that carry no delivery id are found by the provider's message id.
-- Locks: email_deliveries is locked against writers while the index is built (a journal of five million rows: some seconds).
-- Safe while an older binary runs: yes.  The indexed column changes once, when a row is settled: that update is not HOT.
set local lock_timeout = '2s';
set local statement_timeout = '120s';

-- squawk-ignore require-concurrent-index-creation
create index if not exists ix_email_deliveries_provider_message_id on public.email_deliveries (provider_message_id) where provider_message_id is not null;
comment on index public.ix_email_deliveries_provider_message_id is 'Webhooks without a delivery id.';
