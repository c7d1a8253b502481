-- The indexes that V4 makes on the journal unless there is something of their name, and what is to be done before, so that it
-- does not build one while it holds the table:
-- equivalent  another index does the work: a view takes the name until V4 is applied
-- broken      an index of that name is not valid, because building it was interrupted
-- missing     it is built while everybody goes on writing
with usable as (
    select i.indexrelid, c.relname, a.attname, i.indisunique and i.indimmediate and i.indnkeyatts = 1 as is_unique
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    join pg_catalog.pg_am m on m.oid = c.relam and m.amname = 'btree'
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = to_regclass('public.email_deliveries') and i.indisvalid and i.indpred is null
),
wanted as (
    select
        w.*,
        exists (
            select from usable u
            where u.indexrelid = to_regclass('public.' || w.name) and u.attname = w.column_name and (u.is_unique or w.kind = '')
        ) as present,
        (
            select u.relname::text from usable u
            where u.attname = w.column_name and (u.is_unique or w.kind = '')
            order by 1
            limit 1
        ) as equivalent,
        exists (select from pg_catalog.pg_index i where i.indexrelid = to_regclass('public.' || w.name) and not i.indisvalid) as broken
    from (values
        (1, 'uq_email_deliveries_dedupe_key', 'dedupe_key', 'unique '),
        (2, 'ix_email_deliveries_user_id', 'user_id', ''),
        (3, 'ix_email_deliveries_created_at', 'created_at', '')
    ) w (place, name, column_name, kind)
)
select
    w.name,
    w.equivalent,
    array_remove(array[
        case when w.broken then format('drop index concurrently public.%I', w.name) end,
        case
            when w.equivalent is not null then format('create view public.%I as select %L as placeholder', w.name, 'stands in for ' || w.equivalent || ' until migrate is through')
            else format('create %sindex concurrently %I on public.email_deliveries (%I)', w.kind, w.name, w.column_name)
        end
    ], null) as statements
from wanted w
where not w.present
order by w.place
