-- Takes the mailer out of a database, in one transaction; docs/uninstall.md explains.  As the role that ran migrate:
--
--     psql "$DATABASE_URL" -v journal=keep -f sql/uninstall.sql
--
--     journal=keep     the journal stays as it is, for evidence and for a later installation (the default)
--     journal=restore  the journal stays, in the shape the application's own sender made it, with its two foreign keys
--     journal=drop     the journal goes
--     roles=drop       the four roles go as well, where nothing else in the cluster needs them (the default keeps them)
--
-- Locks each of the application's tables that has a trigger of ours, and waits at most two seconds for each: if it could not
-- have one it changes nothing and can be run again.
\set ON_ERROR_STOP on
\if :{?journal} \else \set journal keep \endif
\if :{?roles} \else \set roles keep \endif

begin;
set local search_path = pg_catalog, pg_temp;
set local lock_timeout = '2s';
set local statement_timeout = '10min';
select set_config('email_uninstall.journal', :'journal', true), set_config('email_uninstall.roles', :'roles', true) \g /dev/null

do $$
declare
    journal constant text := current_setting('email_uninstall.journal');
    -- All but the journal.  tests/it/catalog.rs holds this list against the schema.
    tables constant text[] := array[
        'email_subject_variants', 'email_types', 'email_settings', 'email_secrets', 'email_outbox', 'email_events', 'email_preferences',
        'email_suppressions', 'email_project_contacts', 'email_marketing_slots', 'email_signals', 'email_trigger_errors',
        'email_forgotten', 'email_engine_texts', 'email_workers', 'email_batches', 'email_rates', 'email_schedules', 'email_sql_files', 'email_schema_history'
    ];
    -- What the repeatable files made, which email_sql_files lists; migrations make no function.
    functions text[];
    views text[];
    our_roles constant text[] := array['email_worker', 'email_reader', 'email_admin', 'email_app'];
    thing record;
    alive bigint;
    waiting bigint;
begin
    if journal not in ('keep', 'restore', 'drop') then
        raise exception 'journal=% is not known', journal using hint = 'journal=keep, journal=restore or journal=drop';
    end if;
    if to_regclass('public.email_sql_files') is null then
        raise exception 'the mailer is not installed in this database';
    end if;
    select count(*) into alive from public.email_workers w
    where w.state <> 'stopped' and w.last_seen_at > clock_timestamp() - interval '30 seconds';
    if alive > 0 then
        raise exception '% sidecars are running', alive using hint = 'Stop them first: they drain what is in flight and end. select * from public.email_workers;';
    end if;
    select count(*) into waiting from public.email_outbox o where o.status in ('queued', 'sending');
    if waiting > 0 then
        raise notice '% queued letters will not be sent', waiting;
    end if;

    select array_agg(substr(o, 10)) filter (where o like 'function %'), array_agg(substr(o, 6)) filter (where o like 'view %')
    into functions, views
    from public.email_sql_files f cross join unnest(f.objects) o;

    -- pg_cron's jobs: those of this role, which row security shows.
    if exists (select from pg_extension e where e.extname = 'pg_cron') and has_schema_privilege('cron', 'usage') then
        for thing in execute 'select j.jobid from cron.job j where j.jobname like $1 and j.database = current_database()' using 'seqpulse-mailer: %' loop
            execute 'select cron.unschedule($1)' using thing.jobid;
        end loop;
    end if;

    -- Triggers first: from here on the application does not know us any more.
    for thing in
        select t.tgname, t.tgrelid::regclass as relation
        from pg_trigger t join pg_proc p on p.oid = t.tgfoid
        where not t.tgisinternal and p.pronamespace = 'public'::regnamespace and p.proname = any(functions)
        order by t.tgrelid::regclass::text, t.tgname
    loop
        execute format('drop trigger %I on %s', thing.tgname, thing.relation);
    end loop;
    execute (
        select 'drop view ' || string_agg(c.oid::regclass::text, ', ')
        from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'v' and c.relname = any(views)
    );

    if journal = 'drop' then
        drop table public.email_deliveries;
    else
        -- What depends on a function of ours, or stands in the way of installing again.
        alter table public.email_deliveries alter column created_at set default now(), drop constraint if exists email_deliveries_status_known;
    end if;
    if journal = 'restore' then
        for thing in
            select a.attname from pg_attribute a
            where a.attrelid = 'public.email_deliveries'::regclass and a.attnum > 0 and not a.attisdropped
            and a.attname <> all(array['id', 'user_id', 'project_id', 'email_type', 'dedupe_key', 'status', 'provider_message_id', 'payload_json',
                'error_message', 'sent_at', 'created_at'])
        loop
            execute format('alter table public.email_deliveries drop column %I', thing.attname);
        end loop;
        for thing in
            select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid
            where i.indrelid = 'public.email_deliveries'::regclass and not i.indisprimary
            -- Ours; the application's own stay, whatever they are called.
            and c.relname = 'email_deliveries_kpi_idx'
        loop
            execute format('drop index public.%I', thing.relname);
        end loop;
        for thing in
            select c.conname from pg_constraint c
            where c.conrelid = 'public.email_deliveries'::regclass and c.contype = 'c'
        loop
            execute format('alter table public.email_deliveries drop constraint %I', thing.conname);
        end loop;
        execute 'alter table public.email_deliveries reset (fillfactor)';
        execute 'comment on table public.email_deliveries is null';
        for thing in
            select a.attname from pg_attribute a where a.attrelid = 'public.email_deliveries'::regclass and a.attnum > 0 and not a.attisdropped
        loop
            execute format('comment on column public.email_deliveries.%I is null', thing.attname);
        end loop;
        alter table public.email_deliveries
            alter column id drop default,
            add constraint email_deliveries_user_id_fkey foreign key (user_id) references public.users (id) on delete cascade not valid,
            add constraint email_deliveries_project_id_fkey foreign key (project_id) references public.projects (id) on delete set null not valid;
        for thing in select c as name from unnest(array['email_deliveries_user_id_fkey', 'email_deliveries_project_id_fkey']) c loop
            begin
                execute format('alter table public.email_deliveries validate constraint %I', thing.name);
            exception when foreign_key_violation then
                raise notice '% holds for new rows only: the journal remembers letters to people or about projects that are gone', thing.name;
            end;
        end loop;
    end if;

    -- In one statement each: what depends on one another goes together, and nothing else does (no CASCADE).
    -- Functions that take a row of a table of ours depend on it.
    execute (
        select 'drop function ' || string_agg(p.oid::regprocedure::text, ', ')
        from pg_proc p
        where p.pronamespace = 'public'::regnamespace and p.proname = any(functions)
        and exists (select from pg_class c where c.reltype = any(p.proargtypes) and c.relname = any(tables))
    );
    execute (
        select 'drop table ' || string_agg(c.oid::regclass::text, ', ')
        from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname = any(tables)
    );
    execute (
        select 'drop function ' || string_agg(p.oid::regprocedure::text, ', ')
        from pg_proc p where p.pronamespace = 'public'::regnamespace and p.proname = any(functions)
    );

    -- What our roles could read of the application.
    for thing in
        select distinct r.rolname, c.oid::regclass as relation
        from pg_roles r
        cross join pg_class c
        left join pg_attribute a on a.attrelid = c.oid and a.attacl is not null
        cross join lateral aclexplode(coalesce(a.attacl, c.relacl)) g
        where r.rolname = any(our_roles) and c.relnamespace = 'public'::regnamespace and g.grantee = r.oid
        union
        select distinct r.rolname, c.oid::regclass
        from pg_roles r cross join pg_class c cross join lateral aclexplode(c.relacl) g
        where r.rolname = any(our_roles) and c.relnamespace = 'public'::regnamespace and g.grantee = r.oid
    loop
        -- Takes the columns' privileges along.
        execute format('revoke all on %s from %I', thing.relation, thing.rolname);
    end loop;
    for thing in
        select r.rolname from pg_roles r
        where r.rolname = any(our_roles)
        and exists (select from pg_namespace n cross join lateral aclexplode(n.nspacl) g where n.nspname = 'public' and g.grantee = r.oid)
    loop
        execute format('revoke all on schema public from %I', thing.rolname);
    end loop;
    if current_setting('email_uninstall.roles') = 'drop' then
        for thing in select r.rolname from pg_roles r where r.rolname = any(our_roles) loop
            begin
                execute format('drop role %I', thing.rolname);
            exception when dependent_objects_still_exist or insufficient_privilege then
                raise notice 'role % stays: %', thing.rolname, sqlerrm;
            end;
        end loop;
    end if;
end
$$;
commit;
