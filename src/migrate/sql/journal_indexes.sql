-- The indexes that migrations make on the journal unless there is something of their name, and what is to be done before, so that
-- none is built while a migration holds the table:
-- equivalent  another index does the work: one on an empty table takes the name until the migrations are through
-- broken      an index of that name is not valid, because building it was interrupted
-- missing     it is built while the application goes on writing
with usable as (
    select
        i.indexrelid, c.relname, i.indisunique and i.indimmediate and i.indnkeyatts = 1 as is_unique,
        i.indpred is not null as is_partial,
        array(
            select coalesce(a.attname::text, '')
            from unnest(i.indkey) with ordinality as k (attnum, place)
            left join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
            where k.place <= i.indnkeyatts
            order by k.place
        ) as columns
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    join pg_catalog.pg_am m on m.oid = c.relam and m.amname = 'btree'
    where i.indrelid = to_regclass('public.email_deliveries') and i.indisvalid
),
wanted as (
    select
        w.*,
        exists (
            select from usable u
            where u.indexrelid = to_regclass('public.' || w.name) and u.columns[1:cardinality(w.columns)] = w.columns and (u.is_unique or w.kind = '')
        ) as present,
        (
            select u.relname::text from usable u
            where u.columns[1:cardinality(w.columns)] = w.columns and (u.is_unique or w.kind = '')
            and not u.is_partial
            order by 1
            limit 1
        ) as equivalent,
        exists (select from pg_catalog.pg_index i where i.indexrelid = to_regclass('public.' || w.name) and not i.indisvalid) as broken
    from (values
        (1, 'uq_email_deliveries_dedupe_key', '{dedupe_key}'::text[], 'unique '),
        (2, 'ix_email_deliveries_user_id', '{user_id}', ''),
        (3, 'ix_email_deliveries_created_at', '{created_at}', ''),
        (4, 'email_deliveries_kpi_idx', '{email_type,created_at}', '')
    ) w (place, name, columns, kind)
    -- A column that is still to be added is empty: its index is built in no time.
    where not exists (
        select from unnest(w.columns) as n (name)
        where not exists (
            select from pg_catalog.pg_attribute a
            where a.attrelid = to_regclass('public.email_deliveries') and a.attname = n.name and not a.attisdropped
        )
    )
)
select
    w.name,
    w.equivalent,
    array_remove(array[
        case when w.broken then format('drop index concurrently public.%I', w.name) end,
        case when w.equivalent is not null then 'create table if not exists public.email_placeholders (place integer)' end,
        case
            when w.equivalent is not null then format('create index if not exists %I on public.email_placeholders (place)', w.name)
            else format('create %sindex concurrently %I on public.email_deliveries (%s)', w.kind, w.name, array_to_string(w.columns, ', '))
        end
    ], null) as statements
from wanted w
where not w.present
order by w.place
