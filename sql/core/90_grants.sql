-- Who may do what.  Functions are closed to PUBLIC where they are made; here the four roles get what they need, once the
-- objects exist.  A role that is missing (see V1) is skipped.  What a code reads from the application's tables is granted
-- in its own file, column by column.
do $$
declare
    statement text;
    wanted text[] := array[
        -- what `run` needs, nothing more
        'grant usage on schema public to email_worker',
        'grant select on public.email_types, public.email_sql_files, public.email_project_contacts, public.email_signals, public.email_subject_variants to email_worker',
        'grant select, update (paused_at, paused_reason) on public.email_settings to email_worker',
        'grant select, update on public.email_outbox to email_worker',
        'grant select, insert, update on public.email_deliveries to email_worker',
        'grant select, insert, update (user_id) on public.email_preferences to email_worker',
        'grant select, insert on public.email_suppressions to email_worker',
        'grant select, insert, update, delete on public.email_workers to email_worker',
        'grant select on public.email_schema_history to email_worker',
        'grant select on public.email_health, public.email_outbox_summary to email_worker',
        'grant select (id, name, email, is_active) on public.users to email_worker',
        'grant execute on function public.email_now(), public.email_identity(), public.email_function(text, text), public.email_first_name(text), public.email_current(bigint[]), public.email_gates(bigint[]), public.email_pick(integer), public.email_token(uuid), public.email_claim(text, text, integer, interval), public.email_take_over(text, interval), public.email_backoff(integer, interval), public.email_settle(text, uuid, bigint[], text[], text[], text[], text[], double precision[]), public.email_extend_lease(text, uuid, interval), public.email_provider_refused(text), public.email_heartbeat(text, text, integer, text, text, text, integer, integer), public.email_sleep(), public.email_schema_version(), public.email_fingerprint(text[]) to email_worker',
        -- numbers for dashboards: no address, payload, context, error text or token
        'grant usage on schema public to email_reader',
        'grant select on public.email_health, public.email_outbox_summary, public.email_types, public.email_settings, public.email_workers, public.email_sql_files, public.email_schema_history, public.email_subject_variants to email_reader',
        'grant select (id, email_type, status, user_id, project_id, run_at, due_at, retry_at, priority, rank, reason, attempts, claims, locked_by, locked_until, batch_id, created_at, finished_at) on public.email_outbox to email_reader',
        'grant select (id, user_id, project_id, email_type, status, sent_at, created_at, outbox_id, provider, variant) on public.email_deliveries to email_reader',
        'grant select (id, email_delivery_id, event_type, occurred_at) on public.email_events to email_reader',
        'grant select (id, kind, user_id, project_id, occurred_at) on public.email_signals to email_reader',
        'grant select (id, source, email_type, occurred_at, replayed_at) on public.email_trigger_errors to email_reader',
        'grant select (user_id, marketing_opt_in, product_updates_opt_in, security_opt_in, tracking_consent, timezone, updated_at) on public.email_preferences to email_reader',
        'grant select (reason, created_at) on public.email_suppressions to email_reader',
        'grant execute on function public.email_now(), public.email_identity() to email_reader',
        -- people who run it
        'grant email_reader to email_admin',
        -- the application
        'grant usage on schema public to email_app',
        'grant insert on public.email_signals to email_app',
        'grant execute on function public.email_signal(text, uuid, uuid, jsonb, timestamptz, text) to email_app'
    ];
begin
    wanted := wanted || array(
        select format('grant select on public.%I to email_admin', c.relname)
        from pg_catalog.pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v') and c.relname like 'email\_%'
    ) || array(
        select format('grant execute on function %s to email_admin', p.oid::regprocedure)
        from pg_catalog.pg_proc p
        where p.pronamespace = 'public'::regnamespace and p.prorettype <> 'trigger'::regtype
        and p.proname in ('email_now', 'email_identity', 'email_enqueue', 'email_signal', 'email_pause', 'email_resume', 'email_arm',
            'email_replay_errors', 'email_gates', 'email_current', 'email_first_name', 'email_function', 'email_sleep')
    );
    foreach statement in array wanted loop
        if exists (select from pg_catalog.pg_roles r where r.rolname = substring(statement from '(email_(?:worker|reader|admin|app))$')) then
            execute statement;
        end if;
    end loop;
end
$$;
