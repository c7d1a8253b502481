-- Purpose: what recipients allow, who else hears about a project, who holds the slot of the cap, and who was forgotten.
-- Locks: none on existing tables.  Safe while an older binary runs: yes, nothing reads them yet.
set local lock_timeout = '2s';
set local statement_timeout = '60s';

create table public.email_preferences (
    user_id                uuid        not null,
    marketing_opt_in       boolean     not null default true,
    product_updates_opt_in boolean     not null default true,
    security_opt_in        boolean     not null default true,
    tracking_consent       boolean     not null default false,
    timezone               text        not null default 'Europe/Paris',
    unsubscribe_token      uuid        not null default gen_random_uuid(),
    updated_at             timestamptz not null default public.email_now(),
    constraint email_preferences_pkey primary key (user_id),
    constraint email_preferences_unsubscribe_token_key unique (unsubscribe_token),
    constraint email_preferences_security_always check (security_opt_in),
    constraint email_preferences_timezone_given check (timezone <> '')
);
comment on table public.email_preferences is 'What a user allows. No row means the defaults.';
comment on column public.email_preferences.user_id is 'users.id; no foreign key, so that the application can delete users as if we were not there.';
comment on column public.email_preferences.marketing_opt_in is 'Whether marketing emails may be sent.';
comment on column public.email_preferences.product_updates_opt_in is 'Whether product emails may be sent.';
comment on column public.email_preferences.security_opt_in is 'Always true: security mail cannot be refused.';
comment on column public.email_preferences.tracking_consent is 'Opens and clicks are tracked for this user only when true.';
comment on column public.email_preferences.timezone is 'IANA name; local-time mail and the times inside letters follow it.';
comment on column public.email_preferences.unsubscribe_token is 'What the unsubscribe and preferences links carry.';
comment on column public.email_preferences.updated_at is 'When the row was last changed.';

create table public.email_suppressions (
    email      text        not null,
    reason     text        not null,
    source     text,
    created_at timestamptz not null default public.email_now(),
    constraint email_suppressions_pkey primary key (email),
    constraint email_suppressions_reason_known check (reason in ('bounced', 'complained', 'manual', 'unsubscribed'))
);
comment on table public.email_suppressions is 'Addresses never to write to. bounced and manual stop everything but security; complained and unsubscribed stop product and marketing.';
comment on column public.email_suppressions.email is 'The address; upper and lower case are the same.';
comment on column public.email_suppressions.reason is 'bounced, complained, manual or unsubscribed.';
comment on column public.email_suppressions.source is 'Who said so, such as the provider or a person; null means unknown.';
comment on column public.email_suppressions.created_at is 'Since when.';
create unique index email_suppressions_address_idx on public.email_suppressions (lower(email));

create table public.email_project_contacts (
    project_id        uuid        not null,
    email             text        not null,
    role              text        not null,
    user_id           uuid,
    unsubscribe_token uuid        not null default gen_random_uuid(),
    created_at        timestamptz not null default public.email_now(),
    constraint email_project_contacts_pkey primary key (project_id, email, role),
    constraint email_project_contacts_unsubscribe_token_key unique (unsubscribe_token),
    constraint email_project_contacts_role_known check (role in ('admin', 'on_call')),
    constraint email_project_contacts_email_form check (email ~ '^[^@[:space:]]+@[^@[:space:]]+$')
);
comment on table public.email_project_contacts is 'Who else hears about a project: admins its first verdict, on-call people its critical ones.';
comment on column public.email_project_contacts.project_id is 'projects.id; no foreign key, so that the application can delete projects as if we were not there.';
comment on column public.email_project_contacts.email is 'Where the copy goes.';
comment on column public.email_project_contacts.role is 'admin or on_call.';
comment on column public.email_project_contacts.user_id is 'The contact''s own account; null means none, then the copy carries the project owner''s user_id.';
comment on column public.email_project_contacts.unsubscribe_token is 'What the links of this contact''s copies carry.';
comment on column public.email_project_contacts.created_at is 'Since when.';

create table public.email_marketing_slots (
    recipient text        not null,
    category  text        not null,
    last_at   timestamptz not null,
    outbox_id bigint      not null,
    constraint email_marketing_slots_pkey primary key (recipient, category),
    constraint email_marketing_slots_category_known check (category in ('marketing', 'product'))
) with (fillfactor = 80);
comment on table public.email_marketing_slots is 'Who holds a recipient''s slot of a category: at most one capped email of it per email_settings.marketing_cooldown.';
comment on column public.email_marketing_slots.recipient is 'The user id, or the lower-case address of someone without an account.';
comment on column public.email_marketing_slots.category is 'marketing or product: mail of the one never delays mail of the other.';
comment on column public.email_marketing_slots.last_at is 'When the slot was taken, or the letter sent, by email_now().';
comment on column public.email_marketing_slots.outbox_id is 'The email_outbox row that holds it.';

create table public.email_forgotten (
    user_id      uuid        not null,
    forgotten_at timestamptz not null default public.email_now(),
    constraint email_forgotten_pkey primary key (user_id)
);
comment on table public.email_forgotten is 'Users who were forgotten: nothing more is sent to them, security included. Filled by email_forget_user().';
comment on column public.email_forgotten.user_id is 'users.id; the user need not exist any more.';
comment on column public.email_forgotten.forgotten_at is 'When.';
