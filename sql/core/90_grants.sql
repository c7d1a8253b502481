-- Who may do what with what sql/core makes.  Functions are closed to PUBLIC where they are made; views are granted where they
-- are made, and what a code reads from the application's tables in its own file, column by column.

-- What `run` needs, nothing more.
select public.email_grant(g.privileges, 'email_worker')
from (values
    ('usage on schema public'),
    ('select on public.email_types, public.email_sql_files, public.email_project_contacts, public.email_signals, public.email_subject_variants, public.email_schema_history'),
    ('select on public.email_settings'),
    ('select, update on public.email_outbox'),
    ('select, insert, update on public.email_deliveries'),
    ('select, insert, update (user_id) on public.email_preferences'),
    ('select, insert on public.email_suppressions'),
    ('select, insert, update, delete on public.email_workers'),
    ('select (id, name, email, is_active) on public.users'),
    ('execute on function public.email_now(), public.email_identity(), public.email_fingerprint(text[])'),
    ('execute on function public.email_function(text, text), public.email_step(text), public.email_step_keys(text, jsonb), public.email_missing(text), public.email_key_id(text, integer), public.email_verdict_figures(uuid[]), public.email_current(bigint[]), public.email_gates(bigint[])'),
    ('execute on function public.email_pick(integer), public.email_token(uuid), public.email_delivery_id(timestamptz, text), public.email_claim(text, text, integer, interval, integer), public.email_claim_or_wait(text, text, integer, integer, double precision)'),
    ('execute on function public.email_backoff(integer, interval), public.email_settle(text, uuid, bigint[], text[], text[], text[], text[], double precision[], text, timestamptz, double precision, double precision)'),
    ('execute on function public.email_extend_lease(text, uuid, interval)'),
    -- The CHECK of email_outbox runs with the rights of whoever writes it.
    ('execute on function public.email_outbox_sound(text, jsonb, text, text, text, integer, integer, timestamptz, text, timestamptz, uuid, integer, timestamptz)'),
    ('execute on function public.email_heartbeat(text, text, integer, text, text, text, integer, integer), public.email_next_seconds()')
) g (privileges);

-- Numbers for dashboards: no address, payload, context, error text or token.
select public.email_grant(g.privileges, 'email_reader')
from (values
    ('usage on schema public'),
    ('select on public.email_types, public.email_settings, public.email_workers, public.email_sql_files, public.email_schema_history, public.email_subject_variants'),
    ('select (id, email_type, status, user_id, project_id, run_at, due_at, retry_at, priority, rank, reason, attempts, claims, locked_by, locked_until, batch_id, batch_position, claimed_at, created_at, finished_at) on public.email_outbox'),
    ('select (id, user_id, project_id, email_type, status, sent_at, created_at, outbox_id, provider, variant) on public.email_deliveries'),
    ('select (id, email_delivery_id, event_type, occurred_at) on public.email_events'),
    ('select (id, kind, user_id, project_id, occurred_at) on public.email_signals'),
    ('select (id, source, email_type, occurred_at, replayed_at) on public.email_trigger_errors'),
    ('select (user_id, marketing_opt_in, product_updates_opt_in, security_opt_in, tracking_consent, timezone, updated_at) on public.email_preferences'),
    ('select (reason, created_at) on public.email_suppressions'),
    ('execute on function public.email_now(), public.email_identity()')
) g (privileges);

-- People who run it: every table of ours, and the functions for operators (docs/rules.md#rights).
select public.email_grant('usage on schema public', 'email_admin');
select public.email_grant(format('select on public.%I', c.relname), 'email_admin')
from pg_catalog.pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname like 'email\_%';
select public.email_grant(g.privileges, 'email_admin')
from (values
    ('insert, update on public.email_outbox, public.email_types, public.email_settings, public.email_preferences, public.email_suppressions, public.email_project_contacts, public.email_subject_variants'),
    ('delete on public.email_suppressions, public.email_project_contacts, public.email_subject_variants'),
    ('execute on function public.email_now(), public.email_identity(), public.email_function(text, text)'),
    ('execute on function public.email_enqueue(text, uuid, text, jsonb, timestamptz, uuid, text), public.email_signal(text, uuid, uuid, jsonb, timestamptz, text)'),
    ('execute on function public.email_pause(text, text), public.email_resume(text), public.email_arm(), public.email_replay_errors(timestamptz)'),
    ('execute on function public.email_note_error(text, text, text, jsonb)'),
    ('execute on function public.email_outbox_sound(text, jsonb, text, text, text, integer, integer, timestamptz, text, timestamptz, uuid, integer, timestamptz)'),
    ('update on public.email_trigger_errors')
) g (privileges);

-- The application: it tells facts, and nothing else.
select public.email_grant(g.privileges, 'email_app')
from (values
    ('usage on schema public'),
    ('insert on public.email_signals'),
    ('execute on function public.email_signal(text, uuid, uuid, jsonb, timestamptz, text)')
) g (privileges);
