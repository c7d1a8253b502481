-- The indexes that migrations make on the journal unless there is something of their name, and what is to be done before, so that
-- none is built while a migration holds the table:
-- equivalent  another index does the work: a view takes the name until the migrations are through
-- broken      an index of that name is not valid, because building it was interrupted
-- missing     it is built while everybody goes on writing
with usable as (
    select
        i.indexrelid, c.relname, a.attname, i.indisunique and i.indimmediate and i.indnkeyatts = 1 as is_unique,
        pg_get_expr(i.indpred, i.indrelid) as predicate
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    join pg_catalog.pg_am m on m.oid = c.relam and m.amname = 'btree'
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = to_regclass('public.email_deliveries') and i.indisvalid
),
wanted as (
    select
        w.*,
        exists (
            select from usable u where u.indexrelid = to_regclass('public.' || w.name) and u.attname = w.column_name and (u.is_unique or w.kind = '')
        ) as present,
        (
            select u.relname::text from usable u
            where u.attname = w.column_name and (u.is_unique or w.kind = '')
            and (u.predicate is null or u.predicate = '(' || w.predicate || ')')
            order by 1
            limit 1
        ) as equivalent,
        exists (select from pg_catalog.pg_index i where i.indexrelid = to_regclass('public.' || w.name) and not i.indisvalid) as broken
    from (values
        (1, 'uq_email_deliveries_dedupe_key', 'dedupe_key', 'unique ', null),
        (2, 'ix_email_deliveries_user_id', 'user_id', '', null),
        (3, 'ix_email_deliveries_created_at', 'created_at', '', null),
        (4, 'ix_email_deliveries_provider_message_id', 'provider_message_id', '', 'provider_message_id IS NOT NULL')
    ) w (place, name, column_name, kind, predicate)
    -- A column that is still to be added is empty: its index is built in no time.
    where exists (
        select from pg_catalog.pg_attribute a
        where a.attrelid = to_regclass('public.email_deliveries') and a.attname = w.column_name and not a.attisdropped
    )
)
select
    w.name,
    w.equivalent,
    array_remove(array[
        case when w.broken then format('drop index concurrently public.%I', w.name) end,
        case
            when w.equivalent is not null then format('create view public.%I as select %L as placeholder', w.name, 'stands in for ' || w.equivalent || ' until migrate is through')
            else format('create %sindex concurrently %I on public.email_deliveries (%I)', w.kind, w.name, w.column_name) || coalesce(' where ' || w.predicate, '')
        end
    ], null) as statements
from wanted w
where not w.present
order by w.place
