-- What would keep the application's journal from being adopted; null when nothing does, or when there is no journal.
select string_agg(w.fault, '; ' order by w.place)
from (
    select 0 as place, 'it is not an ordinary table' as fault
    from pg_catalog.pg_class c
    where c.oid = to_regclass('public.email_deliveries') and c.relkind <> 'r'
    union all
    select c.place, case
        when a.attname is null and c.required then format('it lacks the column %s', c.name)
        when c.kind = 'text' and t.typcategory <> 'S' then format('its column %s is of type %s where text is needed', c.name, format_type(a.atttypid, a.atttypmod))
        when c.kind <> 'text' and format_type(a.atttypid, null) <> c.kind then
            format('its column %s is of type %s where %s is needed', c.name, format_type(a.atttypid, a.atttypmod), c.kind)
    end
    from (values
        (1, 'id', 'uuid', true), (2, 'user_id', 'uuid', true), (3, 'project_id', 'uuid', false), (4, 'email_type', 'text', true),
        (5, 'dedupe_key', 'text', true), (6, 'status', 'text', true), (7, 'provider_message_id', 'text', false), (8, 'payload_json', 'jsonb', false),
        (9, 'error_message', 'text', false), (10, 'sent_at', 'timestamp with time zone', false), (11, 'created_at', 'timestamp with time zone', true)
    ) c (place, name, kind, required)
    left join pg_catalog.pg_attribute a
        on a.attrelid = to_regclass('public.email_deliveries') and a.attname = c.name and a.attnum > 0 and not a.attisdropped
    left join pg_catalog.pg_type t on t.oid = a.atttypid
    where to_regclass('public.email_deliveries') is not null
) w
where w.fault is not null
