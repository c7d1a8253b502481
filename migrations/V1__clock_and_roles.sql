-- Purpose: the clock every rule of ours goes through, and the four roles that grants name.
-- Locks: none on existing tables.  Safe while an older binary runs: yes, nothing exists yet.
set local lock_timeout = '2s';
set local statement_timeout = '60s';

-- No pinned search_path, so that it can be inlined into every query that asks for the time; every name in it is qualified.
create function public.email_now() returns timestamptz
language sql stable parallel safe
as $$
select case
    when pg_catalog.current_setting('email.clock_offset', true) operator(pg_catalog.<>) ''
        -- In UTC, so that a day of the offset is 24 hours whatever the session's time zone.
        then pg_catalog.timezone('UTC', pg_catalog.timezone('UTC', pg_catalog.now())
            operator(pg_catalog.+) pg_catalog.current_setting('email.clock_offset', true)::pg_catalog.interval)
    else pg_catalog.now()
end
$$;
comment on function public.email_now() is
'The clock of every rule: now() plus the setting email.clock_offset (an interval, normally unset). Tests move time with it; leases, backoff and heartbeats use the real clock instead.';
revoke all on function public.email_now() from public;

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

create function public.email_grant(privileges text, role_name text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from pg_catalog.pg_roles r where r.rolname = role_name) then
        execute format('grant %s to %I', privileges, role_name);
    end if;
end
$$;
comment on function public.email_grant(text, text) is 'Grants, unless the role is missing: installing without the right to create roles must still work.';
revoke all on function public.email_grant(text, text) from public;
