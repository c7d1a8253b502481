-- Which database this is, so that a restored copy sends nothing.
--
-- Before the tables: the one row of email_settings starts with it.

-- In PL/pgSQL, because that keeps its plan; it is asked twice for each letter.
create or replace function public.email_identity() returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (select c.system_identifier::text || '/' || current_database() from pg_control_system() c);
end
$$;
comment on function public.email_identity() is
'Which database this is: the cluster''s system identifier and the database''s name. A promoted standby answers the same; a restore into another cluster or under another name does not.';
revoke all on function public.email_identity() from public;

select public.email_grant('execute on function public.email_identity()', 'email_worker');
select public.email_grant('execute on function public.email_identity()', 'email_reader');
select public.email_grant('execute on function public.email_identity()', 'email_admin');
