-- Purpose: email_identity() keeps its plan.  As a SQL function it was planned anew at each call, twice for each letter.
-- Locks: none.  Safe while an older binary runs: yes.
set local lock_timeout = '2s';
set local statement_timeout = '60s';

create or replace function public.email_identity() returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (select c.system_identifier::text || '/' || current_database() from pg_control_system() c);
end
$$;
