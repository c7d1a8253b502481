-- Who may do what with the tables that migrations make.
--
-- Every other grant stands in the file that needs it: functions and views are granted at the end of the file that makes them, a table
-- that only one file's functions use at the end of that file, and what a code reads from the application's tables in the code's own
-- file, column by column.

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
    ('select (id, name, email, is_active) on public.users')
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
    ('select (reason, created_at) on public.email_suppressions')
) g (privileges);

-- People who run it: every table of ours.
select public.email_grant('usage on schema public', 'email_admin');
select public.email_grant(format('select on public.%I', c.relname), 'email_admin')
from pg_catalog.pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname like 'email\_%' and c.relname <> 'email_secrets';
select public.email_grant(g.privileges, 'email_admin')
from (values
    ('insert, update on public.email_outbox, public.email_types, public.email_settings, public.email_preferences, public.email_suppressions, public.email_project_contacts, public.email_subject_variants'),
    ('delete on public.email_suppressions, public.email_project_contacts, public.email_subject_variants'),
    ('update on public.email_trigger_errors')
) g (privileges);

-- The application: it tells facts, and nothing else.
select public.email_grant(g.privileges, 'email_app')
from (values
    ('usage on schema public'),
    ('insert on public.email_signals')
) g (privileges);
