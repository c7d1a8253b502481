-- Purpose: whether a user ever logged in with this device or from this country is answered by an index instead of by reading all
-- logins.  Two, because one for both is not chosen for the second.  The text is cut, because an index entry has a limit that a
-- login must not fail by.
-- Locks: email_signals is locked against writers while its indexes are built (a million logins: some seconds).
-- Safe while an older binary runs: yes.
set local lock_timeout = '2s';
set local statement_timeout = '120s';

-- squawk-ignore require-concurrent-index-creation
create index email_signals_device_idx on public.email_signals (user_id, left(lower(btrim(payload ->> 'device')), 255), occurred_at)
where kind = 'login';
comment on index public.email_signals_device_idx is 'When a user logged in with a device: E-SEC-02.';

-- squawk-ignore require-concurrent-index-creation
create index email_signals_country_idx on public.email_signals (user_id, left(lower(btrim(payload ->> 'country')), 64), occurred_at)
where kind = 'login';
comment on index public.email_signals_country_idx is 'When a user logged in from a country: E-SEC-02.';
