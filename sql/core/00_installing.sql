-- What the other files are installed and watched with: grants that may lack their role, and the fingerprints of the drift check.
--
-- Before the tables, and first: no file can be recorded without the fingerprint, and it finds its own change like every other.

create or replace function public.email_grant(privileges text, role_name text) returns void
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

create or replace function public.email_fingerprint(objects text[]) returns text
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

select public.email_grant('execute on function public.email_fingerprint(text[])', 'email_worker');
