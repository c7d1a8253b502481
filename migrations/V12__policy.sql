-- Purpose: what the policy at the moment of sending has to remember: whose slot of the cap a row holds or waits for, what is
-- to become of a row once its outcome is known, and who was forgotten.
-- Locks: email_outbox, email_deliveries and email_settings for an instant (nullable columns without a default are metadata
-- only); email_outbox is locked against writers while its two indexes are built, which are partial, and empty or nearly so.
-- Safe while an older binary runs: yes, it reads none of these.  A journal kept by an uninstallation has its column already.
set local lock_timeout = '2s';
set local statement_timeout = '60s';

alter table public.email_outbox
    add column slot text,
    add column end_as text;
comment on column public.email_outbox.slot is
'The key of email_marketing_slots that this row holds (its outbox_id is this row) or, while it is queued, waits for; null: not capped, or not claimed yet.';
comment on column public.email_outbox.end_as is
'Asked for while it was being sent (email_cancel, email_forget_user): should the provider turn out not to have accepted it, it is suppressed with this reason instead of tried again. null: nothing was asked.';

-- squawk-ignore require-concurrent-index-creation
create index email_outbox_slot_idx on public.email_outbox (slot) where status = 'queued' and slot is not null;
comment on index public.email_outbox_slot_idx is 'Who waits for a slot that is given back.';

-- squawk-ignore require-concurrent-index-creation
create index email_outbox_address_idx on public.email_outbox (lower(to_email)) where to_email is not null;
comment on index public.email_outbox_address_idx is 'What waits for, or went to, an address: the cap of somebody without an account.';

alter table public.email_deliveries add column if not exists slot text;
comment on column public.email_deliveries.slot is
'The key of email_marketing_slots that this letter took; null: not capped, never handed to a provider, or sent by the application''s own sender.';

alter table public.email_settings add column cooldown_raised_at timestamptz;
comment on column public.email_settings.cooldown_raised_at is
'When marketing_cooldown was last raised: email_cap_violations does not hold letters against a rule that came after them. null means never.';

create table public.email_forgotten (
    user_id      uuid        not null,
    forgotten_at timestamptz not null default public.email_now(),
    constraint email_forgotten_pkey primary key (user_id)
);
comment on table public.email_forgotten is 'Users who were forgotten: nothing more is sent to them, security included. Filled by email_forget_user().';
comment on column public.email_forgotten.user_id is 'users.id; the user need not exist any more.';
comment on column public.email_forgotten.forgotten_at is 'When.';
