-- Purpose: the look-ups of letters that facts cause: the exits of sequences, and one open note per missed fact.
-- Locks: email_signals, email_outbox and email_trigger_errors are locked against writers while their indexes are built; they
-- are ours, and the new indexes are partial and small.  Safe while an older binary runs: yes.
set local lock_timeout = '2s';
set local statement_timeout = '60s';

-- squawk-ignore require-concurrent-index-creation
create index email_signals_invitation_idx on public.email_signals ((payload ->> 'invitation_id'))
where kind in ('invitation_accepted', 'invitation_revoked');
comment on index public.email_signals_invitation_idx is 'Was this invitation accepted or revoked?';

-- squawk-ignore require-concurrent-index-creation
create index email_signals_paid_idx on public.email_signals ((payload ->> 'invoice_id'))
where kind = 'payment_succeeded';
comment on index public.email_signals_paid_idx is 'Was this invoice paid?';

-- squawk-ignore require-concurrent-index-creation
create index email_outbox_dunning_idx on public.email_outbox (project_id)
where status = 'queued' and email_type = 'E-BILL-01';
comment on index public.email_outbox_dunning_idx is 'Which reminders a payment makes needless.';

-- A column the application dropped makes each of its statements miss the same facts again: one open note per fact is enough.
-- squawk-ignore require-concurrent-index-creation
create unique index email_trigger_errors_once_idx on public.email_trigger_errors
    (source, coalesce(email_type, ''), md5(coalesce(row_data::text, error)))
where replayed_at is null;
comment on index public.email_trigger_errors_once_idx is 'One open note per missed fact.';
