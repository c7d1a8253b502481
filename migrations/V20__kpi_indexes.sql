-- Purpose: what the KPI views read: the journal by code and age, and the few signals they look up by time or by deployment.
-- Locks: email_deliveries and email_signals are locked against writers while their indexes are built (a journal of five
-- million rows: some seconds).  The journal's index is on columns that never change, so settling a row stays a HOT update.
-- Safe while an older binary runs: yes.
set local lock_timeout = '2s';
set local statement_timeout = '120s';

-- squawk-ignore require-concurrent-index-creation
create index if not exists email_deliveries_kpi_idx on public.email_deliveries (email_type, created_at);
comment on index public.email_deliveries_kpi_idx is 'The letters of one code in a period: KPI views.';

-- squawk-ignore require-concurrent-index-creation
create index email_signals_counted_idx on public.email_signals (kind, occurred_at) where kind in ('nps_answered', 'payment_failed');
comment on index public.email_signals_counted_idx is 'Answers and failed payments of a period: KPI views.';

-- squawk-ignore require-concurrent-index-creation
create index email_signals_viewed_idx on public.email_signals ((payload ->> 'deployment_id'), occurred_at) where kind = 'verdict_viewed';
comment on index public.email_signals_viewed_idx is 'When a verdict was first looked at.';
