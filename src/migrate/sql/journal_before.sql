-- The application's journal before it is adopted: about how many rows, and its foreign keys.  No row: there is none.
select
    greatest(c.reltuples, 0)::bigint as rows,
    (select count(*) from pg_catalog.pg_constraint f where f.conrelid = c.oid and f.contype = 'f') as foreign_keys
from pg_catalog.pg_class c
where c.oid = to_regclass('public.email_deliveries')
