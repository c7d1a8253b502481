select coalesce(string_agg(r.rolname::text, ' ' order by r.rolname::text collate "C"), '')
from pg_catalog.pg_roles r
where r.rolname in ('email_worker', 'email_reader', 'email_admin', 'email_app')
