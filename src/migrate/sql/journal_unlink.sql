-- Drops one foreign key of the application's journal: it locks the journal and the table it points to, so each has its own moment.
begin;
set local lock_timeout = '300ms';
do $$
declare
    foreign_key name := (
        select f.conname from pg_catalog.pg_constraint f
        where f.conrelid = 'public.email_deliveries'::regclass and f.contype = 'f'
        order by f.conname
        limit 1
    );
begin
    if foreign_key is not null then
        execute format('alter table public.email_deliveries drop constraint %I', foreign_key);
    end if;
end
$$;
commit;
