-- Purpose: whether a user ever logged in from this country or device is answered by an index instead of by reading all logins.
-- The text is cut, because an index entry has a limit that a login must not fail by.
-- Locks: email_signals is locked against writers while its index is built (a million logins: some seconds).
-- Safe while an older binary runs: yes.
set local lock_timeout = '2s';
set local statement_timeout = '120s';

-- squawk-ignore require-concurrent-index-creation
create index email_signals_login_idx on public.email_signals (
    user_id, left(lower(btrim(payload ->> 'device')), 255), occurred_at, left(lower(btrim(payload ->> 'country')), 64)
) where kind = 'login';
comment on index public.email_signals_login_idx is 'When a user last logged in with a device or from a country: E-SEC-02.';
