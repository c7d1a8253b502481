-- Data for benches/claim.sh: users, a queue of which nothing is due yet, a journal, and who holds a slot.
-- Inserted around the triggers: what is measured is the claim.
\set ON_ERROR_STOP on
set session_replication_role = replica;
select public.email_arm();
update public.email_types set active_since = '-infinity', expires_after = '60 days';

insert into public.users (id, name, email, hashed_password, created_at)
select md5('user' || n)::uuid, 'Nadia ' || n, 'nadia' || n || '@example.com', 'x', now() - interval '21 days' from generate_series(1, :users) n;

-- Waiting for their day, or for a slot.
insert into public.email_outbox (email_type, user_id, dedupe_key, run_at, due_at, rank, payload, reason, slot)
select k.code, u.id, 'later' || n, now() + (3 + n % 500) * interval '1 hour', now() + (3 + n % 500) * interval '1 hour', k.priority, '{"feature": "sdh"}',
    case when k.capped and n % 3 = 0 then 'cap: one capped ' || k.category || ' email in 24:00:00' end, case when k.capped and n % 3 = 0 then u.id::text end
from generate_series(1, :queued) n
cross join lateral (select md5('user' || 1 + n % :users)::uuid as id) u
join (select t.code, t.priority, t.capped, t.category, row_number() over (order by t.code) - 1 as nr from public.email_types t) k on k.nr = n % 22;

insert into public.email_deliveries (user_id, email_type, dedupe_key, status, provider_message_id, payload_json, sent_at, created_at, outbox_id, provider, slot, slot_category)
select md5('user' || 1 + n % :users)::uuid, 'E-RET-01', 'sent' || n, 'sent', gen_random_uuid()::text,
    jsonb_build_object('to_email', 'nadia' || 1 + n % :users || '@example.com', 'subject', 'Ton rapport de la semaine', 'context', jsonb_build_object('deployments', n % 50, 'time_zone', 'Europe/Paris')),
    now() - (2 + n % 300) * interval '1 day', now() - (2 + n % 300) * interval '1 day', n, 'resend', md5('user' || 1 + n % :users), 'product'
from generate_series(1, :journal) n;

insert into public.email_marketing_slots (recipient, category, last_at, outbox_id)
select md5('user' || n)::uuid::text, 'marketing', now() - (25 + n % 300) * interval '1 hour', n from generate_series(1, least(:users, :queued)) n;

set session_replication_role = origin;
vacuum analyze;
