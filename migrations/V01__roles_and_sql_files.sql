-- Purpose: the four roles that grants name, and the record of the repeatable SQL files, which are applied from here on: the
-- functions that tables need (sql/core/0*.sql) come next, then the other migrations.
-- Locks: none on existing tables.  Safe while an older binary runs: yes, nothing exists yet.
set local lock_timeout = '2s';
set local statement_timeout = '60s';

-- Roles belong to the cluster, not to the database, so they may exist already; a role that may not create roles installs
-- everything else, and `doctor` names the missing ones.
do $$
declare
    role_name text;
begin
    foreach role_name in array array['email_worker', 'email_reader', 'email_admin', 'email_app'] loop
        if not exists (select from pg_catalog.pg_roles r where r.rolname = role_name) then
            begin
                execute format('create role %I nologin', role_name);
            exception
                when insufficient_privilege then
                    raise notice 'role % is missing and this role may not create it: ask a superuser for "create role % nologin", then run migrate again', role_name, role_name;
                when duplicate_object or unique_violation then
                    null; -- another database of this cluster was migrated at the same moment
            end;
        end if;
    end loop;
end
$$;

create table public.email_sql_files (
    path        text        not null,
    checksum    text        not null,
    objects     text[]      not null default '{}',
    fingerprint text        not null,
    applied_at  timestamptz not null default clock_timestamp(),
    constraint email_sql_files_pkey primary key (path)
);
comment on table public.email_sql_files is 'The repeatable SQL files (sql/core, sql/triggers) as migrate applied them last.';
comment on column public.email_sql_files.path is 'Inside the repository, such as sql/triggers/E-TRX-01_welcome.sql.';
comment on column public.email_sql_files.checksum is 'SHA-256 (base64) of the file and of the names of our roles that exist: another one in the binary means it is applied again.';
comment on column public.email_sql_files.objects is 'The functions, views and triggers it creates.';
comment on column public.email_sql_files.fingerprint is 'MD5 of those objects'' definitions right after it was applied (email_fingerprint): another one now means that they were changed by hand.';
comment on column public.email_sql_files.applied_at is 'When.';

-- refinery has made it by now.
comment on table public.email_schema_history is 'The migrations (migrations/V*.sql) that were applied; written by migrate through refinery, and read by every sidecar at its start.';
comment on column public.email_schema_history.version is 'The number in the file''s name.';
comment on column public.email_schema_history.name is 'The words in the file''s name.';
comment on column public.email_schema_history.applied_on is 'When it was applied: RFC 3339, as text.';
comment on column public.email_schema_history.checksum is 'refinery''s hash of the file''s name and text: another one in the binary stops migrate.';
