-- The views that stood in for indexes, also those an interrupted migrate left behind.
do $$
declare
    placeholder name;
begin
    for placeholder in
        select c.relname from pg_catalog.pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'v'
        and c.relname in ('uq_email_deliveries_dedupe_key', 'ix_email_deliveries_user_id', 'ix_email_deliveries_created_at',
            'ix_email_deliveries_provider_message_id')
    loop
        execute format('drop view public.%I', placeholder);
    end loop;
end
$$;
