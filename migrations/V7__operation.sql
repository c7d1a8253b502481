-- Purpose: who is sending, and which repeatable SQL files are installed.
-- Locks: none on existing tables.  Safe while an older binary runs: yes.
set local lock_timeout = '2s';
set local statement_timeout = '60s';

create table public.email_workers (
    id            text        not null,
    hostname      text        not null,
    pid           integer     not null,
    version       text        not null,
    provider      text        not null,
    state         text        not null,
    in_flight     integer     not null default 0,
    session_pid   integer,
    started_at    timestamptz not null default clock_timestamp(),
    last_seen_at  timestamptz not null default clock_timestamp(),
    constraint email_workers_pkey primary key (id),
    constraint email_workers_state_known check (state in ('running', 'draining', 'stopped'))
) with (fillfactor = 50);
comment on table public.email_workers is 'A heartbeat per sidecar, by the real clock.';
comment on column public.email_workers.id is 'host:pid:random, as in email_outbox.locked_by.';
comment on column public.email_workers.hostname is 'Where it runs.';
comment on column public.email_workers.pid is 'Its process there.';
comment on column public.email_workers.version is 'Of the binary.';
comment on column public.email_workers.provider is 'As in EMAIL_PROVIDER.';
comment on column public.email_workers.state is 'running, draining (SIGTERM was received) or stopped.';
comment on column public.email_workers.in_flight is 'Letters it holds at the moment.';
comment on column public.email_workers.session_pid is 'Backend pid of its LISTEN connection (pg_stat_activity.pid); null while that is not connected.';
comment on column public.email_workers.started_at is 'When it started.';
comment on column public.email_workers.last_seen_at is 'Its last heartbeat; older than three polls means it is gone.';

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
comment on column public.email_sql_files.fingerprint is 'MD5 of those objects'' definitions right after it was applied: another one now means that somebody changed them by hand.';
comment on column public.email_sql_files.applied_at is 'When.';

create function public.email_fingerprint(objects text[]) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
select md5(coalesce(string_agg(d.definition, e'\n' order by d.definition), ''))
from (
    select pg_catalog.pg_get_functiondef(p.oid)
    from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::regnamespace and 'function ' || p.proname = any(objects)
    union all
    select pg_catalog.pg_get_triggerdef(t.oid) || case t.tgenabled when 'D' then ' disabled' else '' end
    from pg_catalog.pg_trigger t
    where not t.tgisinternal and 'trigger ' || t.tgname = any(objects)
    union all
    select c.relname || ' ' || pg_catalog.pg_get_viewdef(c.oid)
    from pg_catalog.pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'v' and 'view ' || c.relname = any(objects)
) d (definition)
$$;
comment on function public.email_fingerprint(text[]) is
'MD5 of the definitions of these objects ("function NAME", "trigger NAME", "view NAME") as they are installed now; a missing or disabled one changes it.';
revoke all on function public.email_fingerprint(text[]) from public;
