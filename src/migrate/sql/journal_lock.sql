-- The migration would wait two seconds for the journal, and every statement behind it.  What the application's journal may lack is added here.
begin;
set local lock_timeout = '300ms';
lock table public.email_deliveries in access exclusive mode;
alter table public.email_deliveries
    add column if not exists project_id uuid,
    add column if not exists provider_message_id varchar(255),
    add column if not exists payload_json jsonb,
    add column if not exists error_message text,
    add column if not exists sent_at timestamptz;
