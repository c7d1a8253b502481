-- What migrations/ and sql/ add up to, without function bodies. Written by `make schema`; do not edit.

CREATE FUNCTION public.email_ab_results_over(over interval DEFAULT '90 days'::interval) RETURNS TABLE(email_type text, variant text, sent bigint, measured bigint, clicks bigint, opens bigint, rate numeric, rate_low numeric, rate_high numeric, open_rate numeric, open_rate_low numeric, open_rate_high numeric)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_ab_results_over(over interval) IS 'How the subjects of email_subject_variants did over a period that ends now (90 days unless told, one day at least).';

CREATE FUNCTION public.email_act_01_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_act_01_current(ids bigint[]) IS 'E-ACT-01: true while the user is active, owns no project and has no invitation; no figures.';

CREATE FUNCTION public.email_act_01_enqueue(facts jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan';

COMMENT ON FUNCTION public.email_act_01_enqueue(facts jsonb) IS 'E-ACT-01: enqueues what sign-ups cause. facts: [{user_id, created_at}].';

CREATE FUNCTION public.email_act_01_facts(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(happened_at timestamp with time zone, fact jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_act_01_facts(since timestamp with time zone, until timestamp with time zone) IS 'E-ACT-01: the sign-ups of a time, as its facts.';

CREATE FUNCTION public.email_act_01_rows(id uuid, created_at timestamp with time zone) RETURNS TABLE(email_type text, user_id uuid, dedupe_key text, run_at timestamp with time zone, rank integer)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_act_01_rows(id uuid, created_at timestamp with time zone) IS 'E-ACT-01: the outbox row of one sign-up; none while the type is disabled, or for one before it was active.';

CREATE FUNCTION public.email_act_01_trigger() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET enable_seqscan TO 'off'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_act_01_trigger() IS 'E-ACT-01: after users are inserted. Never fails the application''s statement.';

CREATE FUNCTION public.email_act_02_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_act_02_current(ids bigint[]) IS 'E-ACT-02: true while no project of the owner has a deployment and no such letter went out lately; project_name, env, tech_stack, endpoint_active, endpoint_failed.';

CREATE FUNCTION public.email_act_02_enqueue(facts jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan';

COMMENT ON FUNCTION public.email_act_02_enqueue(facts jsonb) IS 'E-ACT-02: enqueues what new projects cause. facts: [{project_id, user_id, created_at}].';

CREATE FUNCTION public.email_act_02_facts(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(happened_at timestamp with time zone, fact jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_act_02_facts(since timestamp with time zone, until timestamp with time zone) IS 'E-ACT-02: the new projects of a time, as its facts.';

CREATE FUNCTION public.email_act_02_rows(id uuid, owner uuid, created_at timestamp with time zone) RETURNS TABLE(email_type text, user_id uuid, project_id uuid, dedupe_key text, run_at timestamp with time zone, rank integer)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_act_02_rows(id uuid, owner uuid, created_at timestamp with time zone) IS 'E-ACT-02: the outbox row of one new project of a new user; none while the type is disabled, or for one before it was active.';

CREATE FUNCTION public.email_act_02_trigger() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET enable_seqscan TO 'off'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_act_02_trigger() IS 'E-ACT-02: after projects are inserted. Never fails the application''s statement.';

CREATE FUNCTION public.email_act_03_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_act_03_current(ids bigint[]) IS 'E-ACT-03: true while the project has a running deployment and never finished one; the deployment and how many are running.';

CREATE FUNCTION public.email_act_03_enqueue(facts jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan';

COMMENT ON FUNCTION public.email_act_03_enqueue(facts jsonb) IS 'E-ACT-03: enqueues what running deployments cause. facts: [{deployment_id, project_id, started_at}].';

CREATE FUNCTION public.email_act_03_facts(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(happened_at timestamp with time zone, fact jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_act_03_facts(since timestamp with time zone, until timestamp with time zone) IS 'E-ACT-03: the deployments that started of a time, as its facts.';

CREATE FUNCTION public.email_act_03_finished(project uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET enable_bitmapscan TO 'off'
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan';

COMMENT ON FUNCTION public.email_act_03_finished(project uuid) IS 'E-ACT-03: whether the project ever finished a deployment.';

CREATE FUNCTION public.email_act_03_rows(deployment uuid, project uuid, started_at timestamp with time zone) RETURNS TABLE(email_type text, user_id uuid, project_id uuid, dedupe_key text, payload jsonb, run_at timestamp with time zone, rank integer)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_act_03_rows(deployment uuid, project uuid, started_at timestamp with time zone) IS 'E-ACT-03: the outbox row of one running deployment; none when its project ever finished one.';

CREATE FUNCTION public.email_act_03_trigger() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET enable_seqscan TO 'off'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_act_03_trigger() IS 'E-ACT-03: after deployments are inserted or updated. Never fails the application''s statement.';

CREATE FUNCTION public.email_act_04_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_act_04_current(ids bigint[]) IS 'E-ACT-04: true while the deployment exists and E-ACT-05 does not tell the recipient of it; the verdict''s figures.';

CREATE FUNCTION public.email_act_04_earlier(deployment uuid, verdict_at timestamp with time zone) RETURNS TABLE(deployment_id uuid)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_act_04_earlier(deployment uuid, verdict_at timestamp with time zone) IS 'E-ACT-04: the deployments whose verdict is older than this one''s, of the same project; none for the first.';

CREATE FUNCTION public.email_act_04_enqueue(facts jsonb) RETURNS void
    LANGUAGE plpgsql
    SET enable_bitmapscan TO 'off'
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan';

COMMENT ON FUNCTION public.email_act_04_enqueue(facts jsonb) IS 'E-ACT-04: enqueues what first verdicts cause. facts: [{deployment_id, created_at, at}].';

CREATE FUNCTION public.email_act_04_facts(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(happened_at timestamp with time zone, fact jsonb)
    LANGUAGE plpgsql STABLE
    SET enable_bitmapscan TO 'off'
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_act_04_facts(since timestamp with time zone, until timestamp with time zone) IS 'E-ACT-04: the first verdicts of a time, as its facts.';

CREATE FUNCTION public.email_act_04_rows(deployment uuid, verdict_at timestamp with time zone, at timestamp with time zone) RETURNS TABLE(email_type text, user_id uuid, project_id uuid, to_email text, dedupe_key text, payload jsonb, run_at timestamp with time zone, rank integer)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_act_04_rows(deployment uuid, verdict_at timestamp with time zone, at timestamp with time zone) IS 'E-ACT-04: the outbox rows of one verdict, for the owner and the admin contacts; none for one that is not its project''s first.';

CREATE FUNCTION public.email_act_04_trigger() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_act_04_trigger() IS 'E-ACT-04: after verdicts are inserted. Never fails the application''s statement.';

CREATE FUNCTION public.email_act_05_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_act_05_current(ids bigint[]) IS 'E-ACT-05: true while the deployment is there and its verdict critical, unless the letter of another warning tells of it; the verdict''s figures, and those of the other warnings that this letter tells of.';

CREATE FUNCTION public.email_act_05_enqueue(facts jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan';

COMMENT ON FUNCTION public.email_act_05_enqueue(facts jsonb) IS 'E-ACT-05: enqueues what critical verdicts cause. facts: [{deployment_id, verdict, created_at, at}].';

CREATE FUNCTION public.email_act_05_facts(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(happened_at timestamp with time zone, fact jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_act_05_facts(since timestamp with time zone, until timestamp with time zone) IS 'E-ACT-05: the critical verdicts of a time, as its facts.';

CREATE FUNCTION public.email_act_05_rows(deployment uuid, verdict text, created_at timestamp with time zone, at timestamp with time zone) RETURNS TABLE(email_type text, user_id uuid, project_id uuid, to_email text, dedupe_key text, payload jsonb, rank integer, urgent boolean, within interval, collects timestamp with time zone)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_act_05_rows(deployment uuid, verdict text, created_at timestamp with time zone, at timestamp with time zone) IS 'E-ACT-05: the outbox rows of one verdict, for the owner and the contacts on call, and until when warnings are being collected (collects; null: this one goes at once); none for a verdict that is not critical.';

CREATE FUNCTION public.email_act_05_trigger() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET enable_seqscan TO 'off'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_act_05_trigger() IS 'E-ACT-05: after verdicts are inserted or updated. Never fails the application''s statement.';

CREATE FUNCTION public.email_activity(of_user uuid, since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(active_at timestamp with time zone)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_activity(of_user uuid, since timestamp with time zone, until timestamp with time zone) IS 'Every moment from since (included) to until (not included) at which this user was active: sign-up, project created, deployment of an own project started, signals login, verdict_viewed and still_active, second factor last verified.';

CREATE FUNCTION public.email_activity_drops() RETURNS TABLE(user_id uuid, project_id uuid, monday date, week_end timestamp with time zone)
    LANGUAGE plpgsql
    SET "TimeZone" TO 'UTC'
    SET jit TO 'off'
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_activity_drops() IS 'The projects for which E-RET-02''s rule holds now, whenever it began to: their owner, week N''s Monday and its end.';

CREATE FUNCTION public.email_adv_01_audience() RETURNS TABLE(user_id uuid, project_id uuid, dedupe_key text, run_at timestamp with time zone, payload jsonb)
    LANGUAGE plpgsql
    SET "TimeZone" TO 'UTC'
    SET jit TO 'off'
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_adv_01_audience() IS 'E-ADV-01: users whose latest milestone was not asked about and who were active in the last seven days; without those who were asked in params.quiet, and those whose turn in the spread has not come.';

CREATE FUNCTION public.email_adv_01_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET "TimeZone" TO 'UTC'
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_adv_01_current(ids bigint[]) IS 'E-ADV-01: true while the user was active in the last 14 days; with how much and for how long SEQPULSE was used.';

CREATE FUNCTION public.email_adv_02_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_adv_02_current(ids bigint[]) IS 'E-ADV-02: always true; no figures.';

CREATE FUNCTION public.email_adv_02_enqueue(facts jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_adv_02_enqueue(facts jsonb) IS 'E-ADV-02: what a recorded signal causes, for a replay or a dry run. facts: [{signal_id}].';

CREATE FUNCTION public.email_adv_02_facts(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(happened_at timestamp with time zone, fact jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_adv_02_facts(since timestamp with time zone, until timestamp with time zone) IS 'E-ADV-02: the answers of a time, as its facts.';

CREATE TABLE public.email_signals (
    id bigint NOT NULL,
    kind text NOT NULL,
    user_id uuid,
    project_id uuid,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    device text,
    occurred_at timestamp with time zone NOT NULL,
    idempotency_key text,
    CONSTRAINT email_signals_kind_known CHECK ((kind = ANY (ARRAY['invitation_created'::text, 'invitation_accepted'::text, 'invitation_revoked'::text, 'login'::text, 'suspicious_login'::text, 'quota_refused'::text, 'pro_feature_attempted'::text, 'payment_failed'::text, 'payment_succeeded'::text, 'nps_answered'::text, 'verdict_viewed'::text, 'plan_changed'::text, 'user_time_zone'::text, 'project_contact'::text, 'login_confirmed'::text, 'login_disowned'::text, 'still_active'::text, 'integration_check_requested'::text]))),
    CONSTRAINT email_signals_payload_object CHECK ((jsonb_typeof(payload) = 'object'::text))
);

COMMENT ON TABLE public.email_signals IS 'Facts the application knows and no table of its own records; written by email_signal() or a plain INSERT.';

COMMENT ON COLUMN public.email_signals.id IS 'Order of arrival.';

COMMENT ON COLUMN public.email_signals.kind IS 'What happened; which payload keys each kind carries stands in docs/signals.md.';

COMMENT ON COLUMN public.email_signals.user_id IS 'Who did it or whom it concerns; null when it is about a project only.';

COMMENT ON COLUMN public.email_signals.project_id IS 'The project it is about; null when it is about none.';

COMMENT ON COLUMN public.email_signals.payload IS 'The kind''s own keys.';

COMMENT ON COLUMN public.email_signals.device IS 'Of a login: browser and system that its payload''s device names, without versions (email_device); null when it tells none, for other kinds, and once the personal keys were erased.';

COMMENT ON COLUMN public.email_signals.occurred_at IS 'When it happened; email_now() when not given.';

COMMENT ON COLUMN public.email_signals.idempotency_key IS 'The same key twice is stored once, so that the application may retry; null means no such protection.';

CREATE FUNCTION public.email_adv_02_signal(s public.email_signals) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_adv_02_signal(s public.email_signals) IS 'E-ADV-02: enqueues what answers of promoters cause.';

CREATE FUNCTION public.email_answer(letter uuid, key text, answer text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s';

COMMENT ON FUNCTION public.email_answer(letter uuid, key text, answer text) IS 'Records the answer to a letter''s question as a signal: recorded; answered before (nothing new); disowned before (a login that was disowned stays so); no answer (this letter does not ask that); unknown (as email_question).';

CREATE FUNCTION public.email_answer_key(dedupe_key text) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_answer_key(dedupe_key text) IS 'The secret half of the token with which a letter''s question is answered: made of its dedupe key and email_secrets, so that it is the same each time the letter is rendered, needs no row of its own, and cannot be guessed.';

CREATE FUNCTION public.email_answer_nps(token uuid, score integer, comment text DEFAULT NULL::text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s';

COMMENT ON FUNCTION public.email_answer_nps(token uuid, score integer, comment text) IS 'Records the answer to the newest survey a user was sent, as a signal nps_answered: recorded; answered before (the first answer stays); unknown (no user has this token).';

CREATE FUNCTION public.email_application_columns() RETURNS TABLE(table_name text, column_name text, needed_for text)
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_application_columns() IS 'The columns of the application''s tables that triggers, scans and figures read, and what for. doctor says which of them are gone.';

CREATE FUNCTION public.email_arm() RETURNS text
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_arm() IS 'Says that this database is the one to send from: call it after a restore or a rename, once no sidecar sends from the original.';

CREATE FUNCTION public.email_as_of() RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_as_of() IS 'Facts after this moment are not known yet: infinity, save in a dry run, where it is the moment that is played through.';

CREATE FUNCTION public.email_audience(code text) RETURNS TABLE(user_id uuid, project_id uuid, to_email text, dedupe_key text, run_at timestamp with time zone, payload jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_audience(code text) IS 'Who a scan of this code would write to now, and when; nothing is enqueued. Without letters whose key is known already; preferences, suppressions and the cap are asked when a letter is claimed. A disabled type writes to nobody; a paused one shows who is waiting for email_resume(). to_email null: the user''s address at the moment of sending.';

CREATE FUNCTION public.email_backoff(attempts integer, at_least interval DEFAULT '00:00:00'::interval) RETURNS interval
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_backoff(attempts integer, at_least interval) IS 'How long a row waits after its nth failure: exponential from 2 seconds up to 10 minutes, full jitter, and never less than the provider asked for.';

CREATE FUNCTION public.email_batch_ready(worker text, batch uuid, ids bigint[], provider text, endpoint text, recovery text, idempotency_key text, body_sha256 bytea, settings jsonb, tokens uuid[], tracked boolean[], lease interval, request_limit interval, resolvable_for interval, patience interval, rate double precision) RETURNS TABLE(verdict text, wait_seconds double precision)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_batch_ready(worker text, batch uuid, ids bigint[], provider text, endpoint text, recovery text, idempotency_key text, body_sha256 bytea, settings jsonb, tokens uuid[], tracked boolean[], lease interval, request_limit interval, resolvable_for interval, patience interval, rate double precision) IS 'Asked before every request. send: the intent is on record, the request leaves after wait_seconds. wait: the fleet has no turn yet, ask again after wait_seconds. lost: another sidecar holds the batch. mismatch: it was sent before as other bytes, so this sidecar must not repeat it. stopped: sending is paused or this database is not armed.';

CREATE FUNCTION public.email_batch_split(worker text, batch uuid, ids bigint[], batches uuid[], lease interval) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_batch_split(worker text, batch uuid, ids bigint[], batches uuid[], lease interval) IS 'Puts the members of a batch that was rejected as a whole into smaller ones, so that the guilty one ends up alone; answers how many it still held.';

CREATE FUNCTION public.email_batches_forget() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_batches_forget() IS 'After a request with members to be forgotten is settled: erases them.';

CREATE FUNCTION public.email_bill_01_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_bill_01_current(ids bigint[]) IS 'E-BILL-01: true until the invoice is paid or the project is free or gone; project_name.';

CREATE FUNCTION public.email_bill_01_enqueue(facts jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_bill_01_enqueue(facts jsonb) IS 'E-BILL-01: what a recorded signal causes, for a replay or a dry run. facts: [{signal_id}].';

CREATE FUNCTION public.email_bill_01_facts(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(happened_at timestamp with time zone, fact jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_bill_01_facts(since timestamp with time zone, until timestamp with time zone) IS 'E-BILL-01: the failed payments, and payments of a time, as its facts.';

CREATE FUNCTION public.email_bill_01_signal(s public.email_signals) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_bill_01_signal(s public.email_signals) IS 'E-BILL-01: enqueues all steps of failed payments, and ends those that a payment made needless.';

CREATE FUNCTION public.email_bill_02_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_bill_02_current(ids bigint[]) IS 'E-BILL-02: always true; project_name, whether it is the first payment or a renewal, and what the month before it was worth.';

CREATE FUNCTION public.email_bill_02_enqueue(facts jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_bill_02_enqueue(facts jsonb) IS 'E-BILL-02: what a recorded signal causes, for a replay or a dry run. facts: [{signal_id}].';

CREATE FUNCTION public.email_bill_02_facts(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(happened_at timestamp with time zone, fact jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_bill_02_facts(since timestamp with time zone, until timestamp with time zone) IS 'E-BILL-02: the payments of a time, as its facts.';

CREATE FUNCTION public.email_bill_02_signal(s public.email_signals) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_bill_02_signal(s public.email_signals) IS 'E-BILL-02: enqueues what payments cause.';

CREATE FUNCTION public.email_cancel(id bigint, reason text DEFAULT NULL::text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_cancel(id bigint, reason text) IS 'Ends one letter: suppressed for this reason (null: cancelled). One that is being sent is only ended when the provider turns out not to have accepted it. Answers in words what was done.';

CREATE FUNCTION public.email_claim(worker text, provider text, batch_size integer, lease interval, batches integer DEFAULT 1) RETURNS TABLE(batch_id uuid, id bigint, delivery_id uuid, email_type text, category text, recipient text, dedupe_key text, attempts integer, context jsonb, unsubscribe_token uuid, tracking boolean)
    LANGUAGE plpgsql ROWS 100
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_claim(worker text, provider text, batch_size integer, lease interval, batches integer) IS 'Claims due rows for up to so many API requests (batches) of up to batch_size each: applies the gates, takes the slots of the cap, ends the rows that must not go out, writes the journal, and answers the members of each request, one request after the other and in their order. No row: nothing can go out now.';

CREATE FUNCTION public.email_claim_or_wait(worker text, provider text, batch_size integer, batches integer, lease_seconds double precision) RETURNS TABLE(batch_id uuid, id bigint, delivery_id uuid, email_type text, category text, recipient text, dedupe_key text, attempts integer, context jsonb, unsubscribe_token uuid, tracking boolean, next_seconds double precision, stopped boolean)
    LANGUAGE plpgsql ROWS 100
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_claim_or_wait(worker text, provider text, batch_size integer, batches integer, lease_seconds double precision) IS 'What a sidecar calls: the rows of email_claim; or, when nothing can go out now, one row that says in how many seconds there may be something (null: nothing waits) and whether nothing may be sent at all.';

CREATE FUNCTION public.email_claim_size(batch_size integer) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_claim_size(batch_size integer) IS 'How many rows may be claimed now: batch_size; 1 when a probe is due (call email_take_probe before using it); 0 when nothing is sent.';

CREATE FUNCTION public.email_cleanup() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_cleanup() IS 'Removes up to 20,000 outbox rows that ended longer ago than email_settings.retention_sent (sent, suppressed) or retention_failed (failed), and as many trigger errors that were made up for as long ago and slots of the cap that nobody has taken for as long. The journal stays. Answers how many outbox rows went.';

CREATE FUNCTION public.email_cleanup_batches() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_cleanup_batches() IS 'Removes up to 20,000 batches that were settled longer ago than email_settings.retention_sent. Answers how many went.';

CREATE FUNCTION public.email_cleanup_events() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_cleanup_events() IS 'Removes those of the 20,000 oldest email_events that happened longer ago than email_settings.retention_events; answers how many.';

CREATE FUNCTION public.email_cleanup_slots() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_cleanup_slots() IS 'Removes slots that were taken longer ago than the cooldown and 31 days; answers how many. No row waits for them, and the address of a recipient without an account does not stay.';

CREATE FUNCTION public.email_collect_error(deployment uuid, since timestamp with time zone, until timestamp with time zone) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_collect_error(deployment uuid, since timestamp with time zone, until timestamp with time zone) IS 'A French sentence for the sort of error the application''s collecting jobs of a deployment failed with, of those due between since and until; null when none is known.';

CREATE FUNCTION public.email_conv_01_audience() RETURNS TABLE(user_id uuid, project_id uuid, dedupe_key text, run_at timestamp with time zone, payload jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_conv_01_audience() IS 'E-CONV-01: free projects between the 80 % and the 90 % threshold this UTC month.';

CREATE FUNCTION public.email_conv_01_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_conv_01_current(ids bigint[]) IS 'E-CONV-01: true while the month lasts and the project is free and between the two thresholds.';

CREATE FUNCTION public.email_conv_02_audience() RETURNS TABLE(user_id uuid, project_id uuid, dedupe_key text, run_at timestamp with time zone, payload jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_conv_02_audience() IS 'E-CONV-02: free projects between the 90 % threshold and the quota this UTC month.';

CREATE FUNCTION public.email_conv_02_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_conv_02_current(ids bigint[]) IS 'E-CONV-02: true while the month lasts and the project is free and between the threshold and the quota.';

CREATE FUNCTION public.email_conv_03_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_conv_03_current(ids bigint[]) IS 'E-CONV-03: true while the project is free and the month of the refusal lasts; deployments used, the limit, when it starts anew.';

CREATE FUNCTION public.email_conv_03_enqueue(facts jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_conv_03_enqueue(facts jsonb) IS 'E-CONV-03: what a recorded signal causes, for a replay or a dry run. facts: [{signal_id}].';

CREATE FUNCTION public.email_conv_03_facts(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(happened_at timestamp with time zone, fact jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_conv_03_facts(since timestamp with time zone, until timestamp with time zone) IS 'E-CONV-03: the refused deployments of a time, as its facts.';

CREATE FUNCTION public.email_conv_03_signal(s public.email_signals) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_conv_03_signal(s public.email_signals) IS 'E-CONV-03: enqueues what refused deployments cause.';

CREATE FUNCTION public.email_conv_04_attempts(ids bigint[]) RETURNS TABLE(id bigint, user_id uuid, key text, due_at timestamp with time zone, waits boolean, named_in text, feature text, project_id uuid, project_name text, original_env text, forced_env text, untrue text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_conv_04_attempts(ids bigint[]) IS 'The attempts of the users of these rows, those that wait for a letter or were left to one: key, whether it may still be claimed, the key of the letter that names it instead, what was tried on which project with which environments, and why it is not true any more.';

CREATE FUNCTION public.email_conv_04_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_conv_04_current(ids bigint[]) IS 'E-CONV-04: true while one of the projects is free and no such letter went out lately; with all that the user tried until the letter leaves.';

CREATE FUNCTION public.email_conv_04_enqueue(facts jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_conv_04_enqueue(facts jsonb) IS 'E-CONV-04: what a recorded signal causes, for a replay or a dry run. facts: [{signal_id}].';

CREATE FUNCTION public.email_conv_04_facts(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(happened_at timestamp with time zone, fact jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_conv_04_facts(since timestamp with time zone, until timestamp with time zone) IS 'E-CONV-04: the attempts at Pro features of a time, as its facts.';

CREATE FUNCTION public.email_conv_04_signal(s public.email_signals) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_conv_04_signal(s public.email_signals) IS 'E-CONV-04: enqueues what attempts at Pro features cause.';

CREATE FUNCTION public.email_conv_05_audience() RETURNS TABLE(user_id uuid, project_id uuid, dedupe_key text, run_at timestamp with time zone, payload jsonb)
    LANGUAGE plpgsql
    SET "TimeZone" TO 'UTC'
    SET jit TO 'off'
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_conv_05_audience() IS 'E-CONV-05: the users one of whose free projects deployed last UTC month and whose 1st, 09:00, is at hand or was missed.';

CREATE FUNCTION public.email_conv_05_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET "TimeZone" TO 'UTC'
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_conv_05_current(ids bigint[]) IS 'E-CONV-05: true while one of the projects that deployed in the month is free; with the figures of those, of the month reported and the one before.';

CREATE FUNCTION public.email_conversion_cohorts_over(over interval DEFAULT '1 year'::interval) RETURNS TABLE(cohort text, month text, months_after integer, projects bigint, converted bigint, converted_so_far bigint, value numeric, complete boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_conversion_cohorts_over(over interval) IS 'Of the free projects created in each month of a period that ends now (a year unless told), how many were upgraded in that and each later month. See docs/kpis.md.';

CREATE FUNCTION public.email_cron_cleanup() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_cron_cleanup() IS 'Removes pg_cron''s notes about our own jobs'' runs older than seven days (the real clock: pg_cron writes them); answers how many.';

CREATE FUNCTION public.email_cron_problems() RETURNS TABLE(schedule text, since timestamp with time zone, problem text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_cron_problems() IS 'Why pg_cron does not run a schedule it should: one row per schedule whose job is gone, inactive or failed at its last run. No row: nothing is known to be wrong.';

CREATE FUNCTION public.email_cron_schema() RETURNS name
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_cron_schema() IS 'The schema pg_cron keeps its jobs in; null when it is not installed in this database.';

CREATE FUNCTION public.email_cta_keys(code text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_cta_keys(code text) IS 'The placeholders that cta_path of this code may have in braces.';

CREATE FUNCTION public.email_cta_problem(code text, cta_path text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_cta_problem(code text, cta_path text) IS 'What is wrong with this cta_path for this code, in words; null: nothing.';

CREATE FUNCTION public.email_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb, failure text, broken boolean)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_current(ids bigint[]) IS 'Whether each of these rows is still true (untrue null) and the fresh figures of its letter; failure says why that could not be told, broken that it is the schema''s fault and not the row''s.';

CREATE FUNCTION public.email_day(day text) RETURNS date
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_day(day text) IS 'A day such as 2026-02-28; null when it is not one.';

CREATE FUNCTION public.email_delivery_id(enqueued_at timestamp with time zone, dedupe_key text) RETURNS uuid
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_delivery_id(enqueued_at timestamp with time zone, dedupe_key text) IS 'The id of the journal''s row for an outbox row that was enqueued then under this key: by time, and always the same.';

CREATE FUNCTION public.email_deployment_recipients(deployment uuid, contact_role text) RETURNS TABLE(project_id uuid, user_id uuid, to_email text, key_suffix text)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_deployment_recipients(deployment uuid, contact_role text) IS 'A deployment''s project and who hears about it (see email_project_recipients); a row without project and user when the deployment cannot be seen.';

CREATE FUNCTION public.email_detail_metric(detail text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_detail_metric(detail text) IS 'The metric a line of a verdict''s details says fails; null when it says something else.';

CREATE FUNCTION public.email_device(told text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_device(told text) IS 'The browser and the system of a user agent, without versions, as a letter names them: Firefox sur Linux. Of a program its name (curl), of other text what is left without versions, 64 characters at most. What it answers it answers again. null: nothing is told.';

CREATE FUNCTION public.email_doctor() RETURNS TABLE(check_name text, status text, detail text)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_doctor() IS 'One row per thing that can be wrong with an installation: ok, warn or fail, and what to do.';

CREATE FUNCTION public.email_drop_counts(of_project uuid, zone text, monday date, checked_at timestamp with time zone) RETURNS TABLE(week_end timestamp with time zone, before bigint, week bigint, lately bigint)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_drop_counts(of_project uuid, zone text, monday date, checked_at timestamp with time zone) IS 'Deployments a project started in the local week before monday''s (before), in monday''s (week), and in the seven days until checked_at (lately).';

CREATE FUNCTION public.email_dry_run(code text, past interval) RETURNS TABLE(outcome text, reason text, letters bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_dry_run(code text, past interval) IS 'What this kind of email would have done over the past interval, had it been enabled since its beginning: how many it would have enqueued, sent, deferred by the cap (most of them sent later), suppressed or failed by reason, and how many would still wait. Other letters are taken as they really went, and what is not dated (preferences, suppressions, plans) as it is now. Changes nothing, save that numbers of email_outbox.id are skipped; takes the time of up to 200 scans.';

CREATE FUNCTION public.email_dry_run_step(code text, facts jsonb, pending bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_dry_run_step(code text, facts jsonb, pending bigint[]) IS 'One moment of a dry run: enqueues these facts (null: what a scan finds) and decides about those of the run''s rows (pending) that are due; answers the run''s rows.';

CREATE FUNCTION public.email_enable_phase(n integer) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_enable_phase(n integer) IS 'Enables the kinds of email of the phases up to n and disables the others (what they have queued is suppressed); answers how many are enabled now.';

CREATE FUNCTION public.email_engine_fill(source text, french text, said text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_engine_fill(source text, french text, said text) IS 'A French sentence with its {placeholders} filled from the engine''s text; decimals get their comma.';

CREATE FUNCTION public.email_engine_pattern(source text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_engine_pattern(source text) IS 'The regular expression that a text of this form matches; see email_engine_texts.source.';

CREATE FUNCTION public.email_enqueue(email_type text, user_id uuid, dedupe_key text, payload jsonb DEFAULT '{}'::jsonb, run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, project_id uuid DEFAULT NULL::uuid, to_email text DEFAULT NULL::text) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_enqueue(email_type text, user_id uuid, dedupe_key text, payload jsonb, run_at timestamp with time zone, project_id uuid, to_email text) IS 'Enqueues one email; answers its id, or null when the key is known already or the type is disabled. run_at null means now, to_email null the user''s address at the moment of sending.';

CREATE FUNCTION public.email_erase_contexts() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_erase_contexts() IS 'Erases address, subject, context and error text of up to 20,000 letters in the journal, and the personal keys of as many email_signals, that are older than email_settings.retention_context. Keys, status, reason and times stay, so that no letter is ever sent twice. Answers how many rows it erased.';

CREATE FUNCTION public.email_erase_journal(ids uuid[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_erase_journal(ids uuid[]) IS 'Erases what is personal about these letters of the journal and their events: status, reason, times and keys stay. Answers how many.';

CREATE FUNCTION public.email_erase_letters(ids bigint[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_erase_letters(ids bigint[]) IS 'Erases what is personal about these outbox rows, here, in the journal and in the events; rows whose request is not settled yet follow when it is. Answers how many were erased now.';

CREATE FUNCTION public.email_explain(id bigint) RETURNS TABLE(sentence text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_explain(id bigint) IS 'Why a letter has or has not gone out: one sentence per gate with the value it saw now, what happened so far, and when it will be tried again. Also for rows that have left the outbox.';

CREATE FUNCTION public.email_explain(user_id uuid, code text) RETURNS TABLE(sentence text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_explain(user_id uuid, code text) IS 'Would this user get this email now, and if not, why not: the last one, the one that waits, or else what the gates would say about one enqueued now (about their newest project, where it is about one). Changes nothing.';

CREATE FUNCTION public.email_explain_gates(row_id bigint) RETURNS TABLE(sentence text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_explain_gates(row_id bigint) IS 'One sentence per gate about a row of the outbox, as it would be decided now, and one that says what happens next, and when.';

CREATE FUNCTION public.email_extend_lease(worker text, batch uuid, lease interval) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_extend_lease(worker text, batch uuid, lease interval) IS 'Renews the lease of a batch while its request is in flight; answers how many rows it still held.';

CREATE FUNCTION public.email_facts(code text, since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(happened_at timestamp with time zone, fact jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_facts(code text, since timestamp with time zone, until timestamp with time zone) IS 'What the tables still know of the facts of a time that cause this code, in their order; none for a code that is found by scanning.';

CREATE FUNCTION public.email_fingerprint(objects text[]) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_fingerprint(objects text[]) IS 'MD5 of the definitions of these objects ("function NAME", "trigger NAME", "view NAME") as they are installed now; a missing or disabled one changes it.';

CREATE FUNCTION public.email_finish_ratio_over(over interval DEFAULT '84 days'::interval) RETURNS TABLE(week text, starts date, triggered bigint, finished bigint, pending bigint, value numeric, complete boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_finish_ratio_over(over interval) IS 'Of the deployments triggered in each week of a period that ends now (12 weeks unless told), how many were finished. See docs/kpis.md.';

CREATE FUNCTION public.email_forget_user(user_id uuid) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_forget_user(user_id uuid) IS 'Erases a user''s address, name and contexts from every table of ours, drops what is queued, and sends nothing more, security included. Keys, status, reasons and times stay. What is being sent at this moment is erased when its outcome is known. Repeat it at will; the application''s own row is the application''s to erase. Answers in words what was done.';

CREATE FUNCTION public.email_french(texts text[]) RETURNS TABLE(said text, french text, shown boolean)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_french(texts text[]) IS 'What letters say for each of these texts of the engine: our French (null: unknown, left out) and whether a letter shows it at all.';

CREATE FUNCTION public.email_function(code text, suffix text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_function(code text, suffix text) IS 'The name of a code''s function: E-TRX-01 and enqueue give email_trx_01_enqueue.';

CREATE FUNCTION public.email_gates(ids bigint[]) RETURNS TABLE(id bigint, gate text, verdict text, reason text, recipient text, person uuid, slot text, reader uuid, token uuid, tracking boolean, context jsonb, superseded boolean, expires_at timestamp with time zone, forgotten boolean, known boolean, suppressed text, active boolean, product_updates_opt_in boolean, marketing_opt_in boolean, held_out boolean, untrue text, failure text, category text, capped boolean, row_slot text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_gates(ids bigint[]) IS 'What the policy says about each row now: the gate it stops at (send: none), verdict send, wait, retry, suppress or fail, the one reason, the recipient (person: their account, slot: their key in the cap, reader: whose links it carries, token: of these links when there is one yet), the letter''s context, the values the gates saw, and what else the claim needs to know (row_slot: email_outbox.slot, which it holds or waits for).';

CREATE FUNCTION public.email_grace() RETURNS interval
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_grace() IS 'How long a sidecar whose LISTEN session is gone may take to say that it is alive, before others take over what it holds. A new session and its heartbeat take some milliseconds; what is taken over too early costs a repeated request or a search, never a second letter.';

CREATE FUNCTION public.email_grant(privileges text, role_name text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_grant(privileges text, role_name text) IS 'Grants, unless the role is missing: installing without the right to create roles must still work.';

CREATE FUNCTION public.email_guard(source text, code text, facts jsonb, state text, message text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_guard(source text, code text, facts jsonb, state text, message text) IS 'After a trigger''s facts failed as a whole with this SQLSTATE and message: tries each alone and notes those that still fail. code null: the facts go to SOURCE_enqueue.';

CREATE FUNCTION public.email_hand_back() RETURNS TABLE(email_type text, jobs bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_hand_back() IS 'The way back to the application''s own sender: switches the hand-over off, and makes jobs of its own of the letters that wait and that it would have scheduled itself. Answers how many, by type. Stop the sidecars first.';

CREATE FUNCTION public.email_handover_context(letter jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_handover_context(letter jsonb) IS 'What the application gave a letter to say (context, or template_context), without what would make it fail.';

CREATE FUNCTION public.email_handover_enqueue(facts jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms';

COMMENT ON FUNCTION public.email_handover_enqueue(facts jsonb) IS 'Takes the emails out of jobs that could not be taken before. facts: [{job_id}].';

CREATE FUNCTION public.email_handover_letter(letter jsonb, run_at timestamp with time zone) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_handover_letter(letter jsonb, run_at timestamp with time zone) IS 'Enqueues one email of the application''s under the catalogue''s key, which is its own save for env_forced; answers its code, or null when the key is known already or the type is disabled. An error says what it lacks.';

CREATE FUNCTION public.email_handover_move(ids uuid[]) RETURNS TABLE(job_id uuid, codes text[], fault text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_handover_move(ids uuid[]) IS 'Takes the emails out of these jobs, those that are pending and that no scheduler works on: what was enqueued of each, or why it was left.';

CREATE FUNCTION public.email_handover_pending() RETURNS uuid[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_handover_pending() IS 'The jobs of the application''s that may hold emails and wait for their time.';

CREATE FUNCTION public.email_handover_take(job jsonb, OUT changes jsonb, OUT codes text[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_handover_take(job jsonb, OUT changes jsonb, OUT codes text[]) IS 'Takes the emails out of one job of scheduled_jobs, given as a whole: what is to be changed of it (null: nothing), and the codes that were enqueued. An error says why it cannot be taken.';

CREATE FUNCTION public.email_handover_trigger() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms';

COMMENT ON FUNCTION public.email_handover_trigger() IS 'Before a job is inserted into scheduled_jobs: takes the emails out of it. Never fails the application''s statement.';

CREATE FUNCTION public.email_handover_uuid(letter jsonb, field text) RETURNS uuid
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_handover_uuid(letter jsonb, field text) IS 'An id in a job''s metadata; null when it is missing or none.';

CREATE FUNCTION public.email_heartbeat(worker text, hostname text, pid integer, version text, provider text, state text, in_flight integer, session_pid integer) RETURNS TABLE(armed boolean, paused_reason text, clock_offset text, next_seconds double precision)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_heartbeat(worker text, hostname text, pid integer, version text, provider text, state text, in_flight integer, session_pid integer) IS 'A sidecar says that it is alive, and learns whether it may send, what the clock offset of new sessions is, and in how many seconds there is something to do.';

CREATE FUNCTION public.email_held_out(recipient text, code text, percent integer) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_held_out(recipient text, code text, percent integer) IS 'Whether this recipient (a user id, or the lower-case address of someone without an account) is in the share of this code that is held out to measure what the email itself changes.';

CREATE FUNCTION public.email_identity() RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_identity() IS 'Which database this is: the cluster''s system identifier and the database''s name. A promoted standby answers the same; a restore into another cluster or under another name does not.';

CREATE FUNCTION public.email_instant(moment timestamp with time zone) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_instant(moment timestamp with time zone) IS 'How reasons and explanations write a moment: to the second, in UTC, whatever the session''s time zone.';

CREATE FUNCTION public.email_invitation(address text, as_of timestamp with time zone) RETURNS TABLE(invitation_id text, inviter uuid, project_id uuid, payload jsonb, accepted boolean)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_invitation(address text, as_of timestamp with time zone) IS 'The invitation of this address that is accepted, or else waits to be: its id, who invites to which project, the keys of the signal. No row: none, or revoked.';

CREATE FUNCTION public.email_is_machine(user_agent text) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_is_machine(user_agent text) IS 'Whether an open or click with this user agent was made by a prefetcher or scanner and not by a person.';

CREATE FUNCTION public.email_isolate(worker text, row_id bigint, lease interval) RETURNS uuid
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_isolate(worker text, row_id bigint, lease interval) IS 'Claims one row alone, in a batch of its own whose id it answers; null when the row is given up instead, because five sidecars died while it was alone.';

CREATE FUNCTION public.email_journaled(key text) RETURNS TABLE(delivery_id uuid)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_journaled(key text) IS 'The journal''s row that keeps this key from being queued again; none for a new key, and for a letter that failed without reaching the provider.';

CREATE FUNCTION public.email_key_id(dedupe_key text, part integer) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_key_id(dedupe_key text, part integer) IS 'The id in this part of a dedupe key (parts are separated by colons, the first is 1); null when no uuid stands there.';

CREATE FUNCTION public.email_kpi_feedback(of_delivery uuid, of_user uuid, key text) RETURNS TABLE(opened boolean, clicked boolean, tracked boolean)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_kpi_feedback(of_delivery uuid, of_user uuid, key text) IS 'Whether a person (not a mail client''s prefetcher) opened and clicked a letter, and whether that can be known at all: its recipient consents to tracking, or something is known already. One row.';

CREATE FUNCTION public.email_kpi_invoices(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(invoice_id text, failed_at timestamp with time zone, paid boolean)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_kpi_invoices(since timestamp with time zone, until timestamp with time zone) IS 'The invoices whose payment failed and whose dunning ended after since and up to until: because they were paid, or because the last of E-BILL-01''s steps was reached. paid: by until, also when that was after the last step.';

CREATE FUNCTION public.email_kpi_letters(of_codes text[], since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(id uuid, email_type text, user_id uuid, project_id uuid, dedupe_key text, held_out boolean, at timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_kpi_letters(of_codes text[], since timestamp with time zone, until timestamp with time zone) IS 'The letters of these codes that were sent, and those a holdout suppressed instead (held_out), after since and up to until; at is when.';

CREATE FUNCTION public.email_kpi_upgraded(of_project uuid, of_user uuid, since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(upgraded_at timestamp with time zone)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_kpi_upgraded(of_project uuid, of_user uuid, since timestamp with time zone, until timestamp with time zone) IS 'When a project first went from free to a paid plan between since and until (signals plan_changed); of_project null: any project of the user. One row; null: it did not.';

CREATE FUNCTION public.email_kpis_over(over interval DEFAULT '30 days'::interval) RETURNS TABLE(kpi text, value numeric, numerator bigint, denominator bigint, measured bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_kpis_over(over interval) IS 'The specification''s seven KPIs over a period that ends now (30 days unless told, one day at least). See docs/kpis.md.';

CREATE FUNCTION public.email_lapse_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET "TimeZone" TO 'UTC'
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_lapse_current(ids bigint[]) IS 'E-RET-03 and E-RET-04: true while the user was not active on a day after the one in the key (without one: for as long as the letter is about, until it was due); with their last activity and the project to come back to.';

CREATE FUNCTION public.email_lapsed(code text, shortest interval, longest interval) RETURNS TABLE(user_id uuid, last_active_at timestamp with time zone)
    LANGUAGE plpgsql
    SET "TimeZone" TO 'UTC'
    SET jit TO 'off'
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_lapsed(code text, shortest interval, longest interval) IS 'The active accounts whose last activity is at least shortest and less than longest ago, with its time; without those to whom a letter of this code is about a later lapse.';

CREATE FUNCTION public.email_last_active(of_user uuid, as_of timestamp with time zone) RETURNS TABLE(last_active_at timestamp with time zone)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_last_active(of_user uuid, as_of timestamp with time zone) IS 'When this user was last active, up to and including as_of: the latest moment of email_activity(); null when there is no such user.';

CREATE FUNCTION public.email_last_letter(of_user uuid, code text, other_than text, within interval) RETURNS TABLE(went_at timestamp with time zone)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_last_letter(of_user uuid, code text, other_than text, within interval) IS 'When the latest letter of this code under another key went to this user, not longer ago than within; one that is being sent counts as sent now. One row; null: none did.';

CREATE FUNCTION public.email_latency_trend(of_projects uuid[], before timestamp with time zone, since timestamp with time zone, until timestamp with time zone) RETURNS numeric
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_latency_trend(of_projects uuid[], before timestamp with time zone, since timestamp with time zone, until timestamp with time zone) IS 'How the p95 latency of these projects changed from the period before (before to since) to the period (since to until, not included), in percent with one decimal: of each project the median over its releases of the median p95 measured after the release, then the median of the projects'' changes; null when no project has both.';

CREATE FUNCTION public.email_lift(reached bigint, cases bigint, holdout_reached bigint, holdout_cases bigint, OUT lift numeric, OUT low numeric, OUT high numeric) RETURNS record
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_lift(reached bigint, cases bigint, holdout_reached bigint, holdout_cases bigint, OUT lift numeric, OUT low numeric, OUT high numeric) IS 'What a letter changed: the share among those who got it minus the share among the holdout, in percentage points, with its 95 % confidence interval (Newcombe). Below low 0 and above high 0: no effect is proven. null without a holdout.';

CREATE FUNCTION public.email_link_keys(cta_path text, dedupe_key text, project uuid, copy_to text) RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_link_keys(cta_path text, dedupe_key text, project uuid, copy_to text) IS 'What a letter''s links need beside its figures: answer_key; project_slug; unique_slug (the same, unless a newer project of the owner has it and is what the application would show); owner_email (when copy_to, the address of a copy, is not the owner''s).';

CREATE FUNCTION public.email_lost_workers(worker text) RETURNS text[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_lost_workers(worker text) IS 'Sidecars that are gone: stopped, or missed for longer than the grace without a sign of life. One that never had a LISTEN session is only gone when its lease is over.';

CREATE FUNCTION public.email_mask(said text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_mask(said text) IS 'The same text with every address in it cut to its first character and its domain: n…@example.com.';

CREATE FUNCTION public.email_may_send(worker text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_may_send(worker text) IS 'Whether a request of this sidecar may leave now: sending is armed and not paused, or this sidecar holds the probe.';

CREATE FUNCTION public.email_may_track(delivery uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_may_track(delivery uuid) IS 'Whether opens and clicks of this letter may be recorded: it is not security mail, and the person it went to has an account and consented.';

CREATE FUNCTION public.email_metrics_now() RETURNS TABLE(name text, email_type text, status text, reason_class text, value double precision)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_metrics_now() IS 'What the view email_metrics shows.';

CREATE FUNCTION public.email_miss_workers(worker text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_miss_workers(worker text) IS 'Notes of every other sidecar whose LISTEN session is gone that it is missed from now on (email_workers.lost_at); any sign of life clears that.';

CREATE FUNCTION public.email_missing(field text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_missing(field text) IS 'An error that names a field, for coalesce(value, email_missing(''field'')): what a fact must have to become an outbox row at all.';

CREATE FUNCTION public.email_month(month text) RETURNS date
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_month(month text) IS 'The first day of a month such as 2026-02; null when it is not one.';

CREATE FUNCTION public.email_next_look(sent_at timestamp with time zone, in_flight_until timestamp with time zone, patience interval) RETURNS timestamp with time zone
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_next_look(sent_at timestamp with time zone, in_flight_until timestamp with time zone, patience interval) IS 'When the provider''s messages are searched next: after 5, 20, 50 and 100 per cent of the patience (30 s, 2, 5 and 10 minutes), and never for the last time while a request may still be under way.';

CREATE FUNCTION public.email_next_seconds() RETURNS double precision
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_next_seconds() IS 'Seconds until the next row falls due, a backoff ends, a lease runs out or a missed sidecar counts as lost: negative when one is overdue, null when nothing is waiting.';

CREATE FUNCTION public.email_note_address(provider text, address text, state text, owner uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_note_address(provider text, address text, state text, owner uuid) IS 'Takes over what a provider says about an address: bounced, complained, manual and unsubscribed add a suppression (the last one also ends the user''s marketing_opt_in); reactivated lifts what this provider had added, resubscribed also the recipient''s own opt-out there.';

CREATE FUNCTION public.email_note_error(source text, email_type text, error text, fact jsonb) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_note_error(source text, email_type text, error text, fact jsonb) IS 'Notes one thing that could not be enqueued; see email_note_errors.';

CREATE FUNCTION public.email_note_errors(source text, email_type text, errors text[], facts jsonb[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_note_errors(source text, email_type text, errors text[], facts jsonb[]) IS 'Notes in email_trigger_errors what could not be enqueued, each fact once while it is open; raises a warning when even that fails, and never an error.';

CREATE FUNCTION public.email_note_limit(provider text, provider_limit double precision) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_note_limit(provider text, provider_limit double precision) IS 'Remembers how many requests a second the provider''s own headers allow.';

CREATE FUNCTION public.email_note_unsubscribed(user_id uuid, categories text[]) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_note_unsubscribed(user_id uuid, categories text[]) IS 'Records the event of an opt-out with the newest letter of these categories that the user was sent; nothing when there is none.';

CREATE FUNCTION public.email_now() RETURNS timestamp with time zone
    LANGUAGE sql STABLE PARALLEL SAFE;

COMMENT ON FUNCTION public.email_now() IS 'The clock of every rule: now() plus the setting email.clock_offset (an interval, normally unset). Tests move time with it; leases, backoff and heartbeats use the real clock instead.';

CREATE FUNCTION public.email_opted_out_address(address text) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_opted_out_address(address text) IS 'Whether this address opted out of product and marketing as an address: a contact without an account, or at the provider.';

CREATE FUNCTION public.email_outbox_admit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_outbox_admit() IS 'Before an insert into email_outbox, except by the triggers of the codes, which do the same for many rows at once: refuses unknown codes, skips known keys and disabled types, fills due_at and rank.';

CREATE FUNCTION public.email_outbox_rank() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_outbox_rank() IS 'Keeps email_outbox.rank in step when a person changes a row''s priority.';

CREATE FUNCTION public.email_outbox_settled() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_outbox_settled() IS 'After a row that was to be cancelled or forgotten while it was being sent has its outcome: back in the queue it is suppressed instead; a forgotten one is erased in any case.';

CREATE FUNCTION public.email_outbox_wake() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_outbox_wake() IS 'After every statement that inserts into email_outbox: sends one NOTIFY when something falls due within 60 seconds and a sidecar may be asleep, which a taken advisory lock tells.';

CREATE FUNCTION public.email_pause(email_type text DEFAULT NULL::text, reason text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_pause(email_type text, reason text) IS 'Stops sending one kind of email, or everything (null). What is queued waits; nothing is lost.';

CREATE FUNCTION public.email_percent(part bigint, whole bigint) RETURNS numeric
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_percent(part bigint, whole bigint) IS 'part of whole in percent, two decimals; null when whole is 0.';

CREATE FUNCTION public.email_pick(row_limit integer) RETURNS bigint[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_pick(row_limit integer) IS 'Locks up to so many due rows that no other sidecar has locked, and answers their ids in the order they should go out; null when there is none.';

CREATE FUNCTION public.email_pipeline_failed(deployment uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_pipeline_failed(deployment uuid) IS 'True when the pipeline of a deployment ended as failed; null otherwise, and when that is not known.';

CREATE FUNCTION public.email_plan_changes_enqueue(facts jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_plan_changes_enqueue(facts jsonb) IS 'Records changes of projects.plan as signals. facts: [{user_id, project_id, from, to, at}].';

CREATE FUNCTION public.email_plan_changes_trigger() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_plan_changes_trigger() IS 'After projects are updated: records changes of plan. Never fails the application''s statement.';

CREATE FUNCTION public.email_preferences_of(token uuid) RETURNS TABLE(is_user boolean, marketing boolean, product boolean, tracking boolean, timezone text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_preferences_of(token uuid) IS 'What holds for the holder of a token, as the preferences page shows it; is_user false: a contact without an account, who has one switch (marketing and product are the same). No row: nobody has this token.';

CREATE FUNCTION public.email_project_recipients(project uuid, contact_role text) RETURNS TABLE(user_id uuid, to_email text, key_suffix text)
    LANGUAGE plpgsql STABLE ROWS 2
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_project_recipients(project uuid, contact_role text) IS 'The owner of a project (user null when it cannot be found) and its contacts of one role, each once: user, address (null: the user''s own), and what their copy''s key ends with.';

CREATE FUNCTION public.email_project_setup(projects uuid[]) RETURNS TABLE(project_id uuid, setup jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_project_setup(projects uuid[]) IS 'How these projects are set up, as far as their table tells: tech_stack; endpoint_active, whether a metrics endpoint was tested and activated; endpoint_failed, whether its last test failed.';

CREATE FUNCTION public.email_project_slug(name text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_project_slug(name text) IS 'What the application calls a project of this name in its addresses; project when nothing of the name is left.';

CREATE FUNCTION public.email_provider_refused(why text, worker text DEFAULT NULL::text, until timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_provider_refused(why text, worker text, until timestamp with time zone) IS 'Stops everything because the provider refuses the whole account. One message probes after a minute (or when the provider said), then after 2, 4, 8 … minutes, at most an hour; email_resume() tries at once. A person''s pause stays theirs.';

CREATE FUNCTION public.email_provider_relented(worker text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_provider_relented(worker text) IS 'Ends a pause the provider caused, when this sidecar''s probe was answered.';

CREATE FUNCTION public.email_question(letter uuid, key text) RETURNS TABLE(code text, answered text[], about jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_question(letter uuid, key text) IS 'What the page behind a letter''s button asks: the letter''s code, the kinds of signal it was answered with already, and what the letter was about (some of its context''s keys). No row: there is no such letter, the key is not its own, or its recipient is gone or forgotten.';

CREATE FUNCTION public.email_quota_audience(code text, key_prefix text, at_least integer, below integer) RETURNS TABLE(user_id uuid, project_id uuid, dedupe_key text, run_at timestamp with time zone, payload jsonb)
    LANGUAGE plpgsql
    SET "TimeZone" TO 'UTC'
    SET jit TO 'off'
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_quota_audience(code text, key_prefix text, at_least integer, below integer) IS 'The free projects that started at least so many deployments this UTC month and fewer than below, and got there after the type''s active_since.';

CREATE FUNCTION public.email_quota_current(ids bigint[], at_least integer, below integer, quota integer) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET "TimeZone" TO 'UTC'
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_quota_current(ids bigint[], at_least integer, below integer, quota integer) IS 'E-CONV-01 and E-CONV-02: true while the month lasts and the project is free and within the bounds; with the month''s figures.';

CREATE FUNCTION public.email_reason_class(status text, reason text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_reason_class(status text, reason text) IS 'A row''s reason as one of a dozen words, for counting: what only one letter''s "still true" says is "not true any more".';

CREATE FUNCTION public.email_record_event(provider text, event_id text, event_type text, occurred_at timestamp with time zone, delivery_id uuid, message_id text, address text, address_state text, details jsonb) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s';

COMMENT ON FUNCTION public.email_record_event(provider text, event_id text, event_type text, occurred_at timestamp with time zone, delivery_id uuid, message_id text, address text, address_state text, details jsonb) IS 'Records one report of a provider, found by our delivery id or else by its message id, once per event_id. event_type null: it is about an address only. address_state: bounced, complained, manual, unsubscribed, reactivated, resubscribed or null. Answers stored, duplicate, not tracked, address noted, nothing to record or unknown delivery; an error means it must be reported again.';

CREATE FUNCTION public.email_release_unsent(batch uuid) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_release_unsent(batch uuid) IS 'Puts the members of a batch that was never sent back into the queue, to be judged and rendered anew; those that are suspected of taking sidecars down stay. Answers how many went.';

CREATE FUNCTION public.email_replay_errors(since timestamp with time zone DEFAULT '-infinity'::timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_replay_errors(since timestamp with time zone) IS 'Enqueues what triggers missed since then; answers how many facts went through. Those that fail again stay open with their newest error.';

CREATE FUNCTION public.email_report(of_projects uuid[], since timestamp with time zone, until timestamp with time zone, zone text) RETURNS TABLE(days jsonb, projects jsonb)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_report(of_projects uuid[], since timestamp with time zone, until timestamp with time zone, zone text) IS 'The deployments from since to until (not included) by day of a time zone and by project, each with its alerts; a project with the path to its latest alert in the application. Null when there is none.';

CREATE FUNCTION public.email_requests_now() RETURNS TABLE(id bigint, kind text, requested_at timestamp with time zone, user_id uuid, name text, email text, project_id uuid, project_name text, letter uuid)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_requests_now() IS 'The rows of email_requests: a function, so that no view of ours depends on a column of the application''s tables.';

CREATE FUNCTION public.email_requeue(ids bigint[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_requeue(ids bigint[]) IS 'Puts rows that failed or were suppressed back into the queue, due now; due_at, from which they expire, stays. Answers how many. email_retry and email_retry_failed decide which.';

CREATE FUNCTION public.email_resolve(delivery uuid, was_sent boolean) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_resolve(delivery uuid, was_sent boolean) IS 'What a person found out about a letter of unknown outcome: sent, then it is recorded so; not sent, then it is enqueued again under its key, with what it was to say. Answers what was done.';

CREATE FUNCTION public.email_resume(email_type text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_resume(email_type text) IS 'Starts sending one kind of email again, or everything (null: the general pause ends; types that are paused on their own stay so).';

CREATE FUNCTION public.email_ret_01_audience() RETURNS TABLE(user_id uuid, project_id uuid, dedupe_key text, run_at timestamp with time zone, payload jsonb)
    LANGUAGE plpgsql
    SET "TimeZone" TO 'UTC'
    SET jit TO 'off'
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_ret_01_audience() IS 'E-RET-01: the users who deployed or viewed a verdict in their last local week and whose Monday, 08:00, is at hand or was missed within a day.';

CREATE FUNCTION public.email_ret_01_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET "TimeZone" TO 'UTC'
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_ret_01_current(ids bigint[]) IS 'E-RET-01: true when the user deployed or viewed a verdict in the week reported; with the figures of that week, by day and by project, and of the one before.';

CREATE FUNCTION public.email_ret_02_audience() RETURNS TABLE(user_id uuid, project_id uuid, dedupe_key text, run_at timestamp with time zone, payload jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_ret_02_audience() IS 'E-RET-02: the users one of whose projects deployed at most half as often in the last local week as in the one before, and did not recover.';

CREATE FUNCTION public.email_ret_02_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET "TimeZone" TO 'UTC'
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_ret_02_current(ids bigint[]) IS 'E-RET-02: true while one of the user''s projects that dropped has not recovered; with the deployments of both weeks of each that has not.';

CREATE FUNCTION public.email_ret_03_audience() RETURNS TABLE(user_id uuid, project_id uuid, dedupe_key text, run_at timestamp with time zone, payload jsonb)
    LANGUAGE plpgsql
    SET "TimeZone" TO 'UTC'
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_ret_03_audience() IS 'E-RET-03: users whose last activity is 14 days old, as long as the letter would not have expired.';

CREATE FUNCTION public.email_ret_03_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_ret_03_current(ids bigint[]) IS 'E-RET-03: true while the user has not come back.';

CREATE FUNCTION public.email_ret_04_audience() RETURNS TABLE(user_id uuid, project_id uuid, dedupe_key text, run_at timestamp with time zone, payload jsonb)
    LANGUAGE plpgsql
    SET "TimeZone" TO 'UTC'
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_ret_04_audience() IS 'E-RET-04: both letters for users whose last activity is 30 days old, as long as the last one would not have expired.';

CREATE FUNCTION public.email_ret_04_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_ret_04_current(ids bigint[]) IS 'E-RET-04: true while the user has not come back.';

CREATE FUNCTION public.email_retry(id bigint, even_if_unknown boolean DEFAULT false) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_retry(id bigint, even_if_unknown boolean) IS 'Tries one letter again now, whether it failed, was suppressed or waits; every gate is asked again. One whose outcome is unknown is only tried again when even_if_unknown says so: it may arrive twice. Answers in words what was done.';

CREATE FUNCTION public.email_retry_failed(email_type text DEFAULT NULL::text, since timestamp with time zone DEFAULT '-infinity'::timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_retry_failed(email_type text, since timestamp with time zone) IS 'Tries all letters of one code (null: of all) again that failed since then, save those whose outcome is unknown; every gate is asked again. Answers how many.';

CREATE FUNCTION public.email_run_due_schedule(worker text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_run_due_schedule(worker text) IS 'For a sidecar, at every poll until it answers null: runs one schedule that is due and that no other session is running, and answers its name. Due: the last success is older than its interval, or than twice that where a pg_cron job exists.';

CREATE FUNCTION public.email_run_schedule(name text, runner text DEFAULT NULL::text) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_run_schedule(name text, runner text) IS 'Runs one schedule now, due or not, and notes in email_schedules how it ended. Answers how many rows it dealt with; null when it failed or is being run by another session at the moment.';

CREATE FUNCTION public.email_scan(code text) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_scan(code text) IS 'Runs one scan now and answers how many letters it enqueued: 0 too for a disabled or paused type, and for a code that is not caused by a scan. More than blast_limit at once: enqueues nothing and pauses the type; after email_resume() the next run goes through.';

CREATE FUNCTION public.email_schedule_sync() RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_schedule_sync() IS 'Makes pg_cron''s jobs match email_schedules (creating the extension where it is preloaded for this database and the role may), and answers in a sentence who runs the schedules now. migrate calls it; call it after editing email_schedules.';

CREATE FUNCTION public.email_sec_01_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_sec_01_current(ids bigint[]) IS 'E-SEC-01: always true; the latest login in the 24 hours before the change, and whether its device was known before.';

CREATE FUNCTION public.email_sec_01_enqueue(facts jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_sec_01_enqueue(facts jsonb) IS 'E-SEC-01: enqueues what changes of two-factor authentication cause. facts: [{user_id, enabled, changed_at}].';

CREATE FUNCTION public.email_sec_01_facts(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(happened_at timestamp with time zone, fact jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_sec_01_facts(since timestamp with time zone, until timestamp with time zone) IS 'E-SEC-01: the two-factor authentication that was switched on and is still (nothing tells when it was switched off) of a time, as its facts.';

CREATE FUNCTION public.email_sec_01_trigger() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_sec_01_trigger() IS 'E-SEC-01: after users are updated. Never fails the application''s statement.';

CREATE FUNCTION public.email_sec_02_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_sec_02_current(ids bigint[]) IS 'E-SEC-02: always true; the device as its browser and system.';

CREATE FUNCTION public.email_sec_02_enqueue(facts jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_sec_02_enqueue(facts jsonb) IS 'E-SEC-02: what a recorded signal causes, for a replay or a dry run. facts: [{signal_id}].';

CREATE FUNCTION public.email_sec_02_facts(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(happened_at timestamp with time zone, fact jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_sec_02_facts(since timestamp with time zone, until timestamp with time zone) IS 'E-SEC-02: the logins of a time, as its facts.';

CREATE FUNCTION public.email_sec_02_signal(s public.email_signals) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_sec_02_signal(s public.email_signals) IS 'E-SEC-02: enqueues a letter when this login is suspicious.';

CREATE FUNCTION public.email_segments_now() RETURNS TABLE(user_id uuid, project_id uuid, segment text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_segments_now() IS 'Who is in which segment now, inactive accounts aside. new_user, free_active and security_sensitive are about a user (project_id null), free_near_limit and pro_active about a project and its owner, at_risk about a user (14 days without activity) or a project (E-RET-02).';

CREATE FUNCTION public.email_set_preferences(token uuid, marketing boolean, product boolean, tracking boolean, timezone text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s';

COMMENT ON FUNCTION public.email_set_preferences(token uuid, marketing boolean, product boolean, tracking boolean, timezone text) IS 'Records the choices of the preferences page; a time zone Postgres does not know keeps the old one. A contact without an account has one switch: opted out when marketing and product are both false. Answers whether the token is known.';

CREATE FUNCTION public.email_settings_applied() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_settings_applied() IS 'After an update of email_settings: lets those who wait for a slot ask again when the cap''s rules changed, and wakes the sidecars, so that resuming and arming act at once.';

CREATE FUNCTION public.email_settings_edited() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_settings_edited() IS 'Before every update of email_settings: notes when the cooldown was raised; what is not paused has no reason to be.';

CREATE FUNCTION public.email_settle(worker text, batch uuid, ids bigint[], outcomes text[], message_ids text[], errors text[], subjects text[], retry_after double precision[], pause_reason text DEFAULT NULL::text, pause_until timestamp with time zone DEFAULT NULL::timestamp with time zone, limited double precision DEFAULT NULL::double precision, provider_limit double precision DEFAULT NULL::double precision) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_settle(worker text, batch uuid, ids bigint[], outcomes text[], message_ids text[], errors text[], subjects text[], retry_after double precision[], pause_reason text, pause_until timestamp with time zone, limited double precision, provider_limit double precision) IS 'Records the outcomes of one batch. sent. transient (an attempt is spent), refused and released (none is) wait in the queue again; of a repeated request they tell nothing, so it stays claimed. permanent and address end failed, the latter also suppresses the address. unknown, server_error (an attempt is spent) and mismatch stay claimed until the provider is asked again; untouched was not sent this time. missing: the provider does not have it, back to the queue. conflict: recorded under the same key: sent when it was a repetition, else lost, which is failed as unknown outcome. pause_reason pauses everything; limited (seconds) slows the fleet down; provider_limit is what the provider''s header says. Answers how many rows it still held.';

CREATE FUNCTION public.email_settle_unknown(delivery_id uuid, provider_message_id text, occurred_at timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_settle_unknown(delivery_id uuid, provider_message_id text, occurred_at timestamp with time zone) IS 'Settles a letter whose outcome is not known yet, or was given up as unknown outcome, as sent, because the provider''s webhook says that it has it. Answers whether there was something to settle.';

CREATE FUNCTION public.email_signal(kind text, user_id uuid DEFAULT NULL::uuid, project_id uuid DEFAULT NULL::uuid, payload jsonb DEFAULT '{}'::jsonb, occurred_at timestamp with time zone DEFAULT NULL::timestamp with time zone, idempotency_key text DEFAULT NULL::text) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_signal(kind text, user_id uuid, project_id uuid, payload jsonb, occurred_at timestamp with time zone, idempotency_key text) IS 'Records a fact no table of the application holds; answers its id, or null when the idempotency key is known already.';

CREATE FUNCTION public.email_signal_trigger() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_signal_trigger() IS 'After a signal is recorded: calls the function that the trigger is called like (email_<code>_signal) with it; the argument is the code. Never fails the statement that recorded it.';

CREATE FUNCTION public.email_signals_fill() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_signals_fill() IS 'Before every insert into email_signals: a fact without a time happened now; of a login the device is kept as browser and system.';

CREATE FUNCTION public.email_sleep(holding integer) RETURNS TABLE(lanes integer, watched boolean)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_sleep(holding integer) IS 'Called by a sidecar''s LISTEN session before it sleeps, with the lanes (a bit each) it holds already: takes what is free. watched: every lane is held by this or another sidecar, so that from now on every producer sends a NOTIFY. No row: this session would not hear it.';

CREATE FUNCTION public.email_slots_ask(row_id bigint, slot_key text, slot_category text, OUT run_at timestamp with time zone, OUT reason text) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_slots_ask(row_id bigint, slot_key text, slot_category text, OUT run_at timestamp with time zone, OUT reason text) IS 'Whether a capped row would get its recipient''s slot now: run_at and reason are null when it would, and otherwise say until when it would wait and why. Takes nothing.';

CREATE FUNCTION public.email_slots_free(ids bigint[], slots text[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_slots_free(ids bigint[], slots text[]) IS 'Gives back these slots as far as these rows still hold them, and lets the rows that wait for them try again now; answers how many were given back.';

CREATE FUNCTION public.email_slots_seed() RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_slots_seed() IS 'Takes the slots of the journal''s last cooldown, as migrate does when it adopts the journal of the application''s own sender; repeat it when that sender has been at work since. Answers how many slots it took or moved.';

CREATE FUNCTION public.email_slots_settle(sent bigint[], rejected bigint[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_slots_settle(sent bigint[], rejected bigint[]) IS 'After an outcome: the slots of rows that were sent move to now, those of rows that the provider rejected for good are given back. Rows without a slot cost nothing. An unknown outcome is neither: its slot stays.';

CREATE FUNCTION public.email_slots_take(ids bigint[], slots text[], categories text[], OUT asked boolean, OUT waiting bigint[], OUT run_ats timestamp with time zone[], OUT reasons text[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_slots_take(ids bigint[], slots text[], categories text[], OUT asked boolean, OUT waiting bigint[], OUT run_ats timestamp with time zone[], OUT reasons text[]) IS 'Takes the slots of these capped rows that may go out now (heaviest of each category first; slots: whose each is), and answers which must wait, until when, and why; asked: slots were fought for, so this transaction must not come again.';

CREATE FUNCTION public.email_slow_down(provider text, wait_seconds double precision) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_slow_down(provider text, wait_seconds double precision) IS 'The provider said "too many requests": every sidecar waits as long as it asked (a second to a minute), and then goes slower for a while.';

CREATE FUNCTION public.email_step(dedupe_key text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_step(dedupe_key text) IS 'The step a sequence''s key ends with: payment_failed:in_1042:J3 gives J3.';

CREATE FUNCTION public.email_step_keys(dedupe_key text, params jsonb) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_step_keys(dedupe_key text, params jsonb) IS 'The keys of all steps of the sequence this key belongs to; null when its code has no steps.';

CREATE FUNCTION public.email_subject_choice(code text, user_id uuid) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_subject_choice(code text, user_id uuid) IS 'The A/B subject of this user for this code: subject_variant and subject_template, which the claim puts into the letter''s context; null when the type has no enabled variant.';

CREATE FUNCTION public.email_subject_keys(code text) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_subject_keys(code text) IS 'The keys a subject of this code may use in braces, such as {first_name}.';

CREATE FUNCTION public.email_subject_variants_check() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_subject_variants_check() IS 'Before a subject is inserted or changed: refuses keys its letter does not know.';

CREATE FUNCTION public.email_suppress(ids bigint[], reason text) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_suppress(ids bigint[], reason text) IS 'Ends those of these rows that are queued: suppressed for this reason, in the outbox and in the journal. Answers how many.';

CREATE FUNCTION public.email_suppress_untrue(code text, ids bigint[]) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_suppress_untrue(code text, ids bigint[]) IS 'Suppresses at once those of these rows of one code that its own "still true" denies: how a sequence is left. Answers how many.';

CREATE FUNCTION public.email_take_jobs() RETURNS TABLE(jobs bigint, letters bigint, known_or_disabled bigint, left_alone bigint)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_take_jobs() IS 'Takes the emails out of every pending job of the application''s scheduler, as migrate does once: how many jobs were taken, how many letters they gave, how many of the jobs gave none (known already, or disabled), how many were left and noted in email_trigger_errors.';

CREATE FUNCTION public.email_take_over(worker text, provider text, lease interval, busy uuid[] DEFAULT NULL::uuid[]) RETURNS TABLE(batch_id uuid, id bigint, delivery_id uuid, email_type text, category text, recipient text, dedupe_key text, attempts integer, context jsonb, unsubscribe_token uuid, tracking boolean, unsettled boolean, sent_before boolean, resolvable boolean, last_look boolean, age_seconds double precision)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_take_over(worker text, provider text, lease interval, busy uuid[]) IS 'Claims one batch whose sidecar is gone, that this sidecar holds without knowing of it (busy: those it knows; the answer to its claim was lost), or whose outcome is unknown and due to be asked for again. sent_before: it may have been accepted, so the provider decides whether it may be repeated; unsettled: false for a member whose outcome is known already and that is only needed to repeat the request; last_look: a search that finds nothing now means not accepted; resolvable: false when the provider can no longer tell.';

CREATE FUNCTION public.email_take_probe(worker text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_take_probe(worker text) IS 'Whether this sidecar may send what it has picked: yes when nothing is paused; while the provider has paused sending, yes for the one sidecar that gets the probe that is due.';

CREATE FUNCTION public.email_take_turn(provider text, rate double precision, urgent boolean) RETURNS TABLE(granted boolean, wait_seconds double precision)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_take_turn(provider text, rate double precision, urgent boolean) IS 'Takes the fleet''s next turn for one request, or says that none can be had yet. Granted: the request leaves after wait_seconds. Not granted: ask again after wait_seconds. rate 0 or null is unlimited.';

CREATE FUNCTION public.email_texts_left_out() RETURNS TABLE(source text, letters bigint, last_seen_at timestamp with time zone)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_texts_left_out() IS 'The rows of email_unknown_engine_texts.';

CREATE FUNCTION public.email_token(user_id uuid) RETURNS uuid
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_token(user_id uuid) IS 'The token of a user''s unsubscribe and preferences links; makes their preferences row (with the defaults) when there is none.';

CREATE FUNCTION public.email_token_holder(token uuid) RETURNS TABLE(user_id uuid, address text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_token_holder(token uuid) IS 'Whom the links with this token belong to: a user, or the address of a contact without an account. No row: no recipient has it.';

CREATE FUNCTION public.email_told_people_enqueue(facts jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_told_people_enqueue(facts jsonb) IS 'What a recorded signal about people says, for a replay. facts: [{signal_id}].';

CREATE FUNCTION public.email_told_people_signal(s public.email_signals) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_told_people_signal(s public.email_signals) IS 'Keeps what the application tells about a user''s time zone or a project''s contacts.';

CREATE FUNCTION public.email_told_people_trigger() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_told_people_trigger() IS 'After a signal about people is recorded. Never fails the statement that recorded it.';

CREATE FUNCTION public.email_trx_01_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_trx_01_current(ids bigint[]) IS 'E-TRX-01: true while the user is active; with the invitation that brought them here, if there is one.';

CREATE FUNCTION public.email_trx_01_enqueue(facts jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan';

COMMENT ON FUNCTION public.email_trx_01_enqueue(facts jsonb) IS 'E-TRX-01: enqueues the welcome of users. facts: [{user_id, created_at, at}].';

CREATE FUNCTION public.email_trx_01_facts(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(happened_at timestamp with time zone, fact jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_trx_01_facts(since timestamp with time zone, until timestamp with time zone) IS 'E-TRX-01: the active sign-ups of a time, as its facts.';

CREATE FUNCTION public.email_trx_01_rows(id uuid, created_at timestamp with time zone, at timestamp with time zone) RETURNS TABLE(email_type text, user_id uuid, dedupe_key text, run_at timestamp with time zone, rank integer)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_trx_01_rows(id uuid, created_at timestamp with time zone, at timestamp with time zone) IS 'E-TRX-01: the outbox row of one sign-up; none while the type is disabled, or for one before it was active.';

CREATE FUNCTION public.email_trx_01_trigger() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms'
    SET enable_seqscan TO 'off'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_trx_01_trigger() IS 'E-TRX-01: after users are inserted or updated. Never fails the application''s statement.';

CREATE FUNCTION public.email_trx_02_address() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_trx_02_address() IS 'E-TRX-02: before a row without to_email is inserted, takes the invited person''s address from its payload.';

CREATE FUNCTION public.email_trx_02_current(ids bigint[]) RETURNS TABLE(id bigint, untrue text, context jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_trx_02_current(ids bigint[]) IS 'E-TRX-02: true until the invitation is accepted or revoked; project_name, inviter_name, inviter_email.';

CREATE FUNCTION public.email_trx_02_enqueue(facts jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_trx_02_enqueue(facts jsonb) IS 'E-TRX-02: what a recorded signal causes, for a replay or a dry run. facts: [{signal_id}].';

CREATE FUNCTION public.email_trx_02_facts(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(happened_at timestamp with time zone, fact jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_trx_02_facts(since timestamp with time zone, until timestamp with time zone) IS 'E-TRX-02: the invitations, and what ended them of a time, as its facts.';

CREATE FUNCTION public.email_trx_02_signal(s public.email_signals) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_trx_02_signal(s public.email_signals) IS 'E-TRX-02: enqueues all steps of invitations, and ends those of accepted and revoked ones.';

CREATE FUNCTION public.email_type_kpi_counts(over interval) RETURNS TABLE(code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_type_kpi_counts(over interval) IS 'What email_type_kpis_over() puts together: per code and KPI, for recipients and for the holdout, how many reached the aim, of how many cases, and the median minutes for KPIs that are times.';

CREATE FUNCTION public.email_type_kpi_deployments(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_type_kpi_deployments(since timestamp with time zone, until timestamp with time zone) IS 'A step of email_type_kpi_counts(). E-ACT-02 and E-ACT-03: a first deployment within 72 hours of the project; a deployment finished within seven days of the letter.';

CREATE FUNCTION public.email_type_kpi_feedback(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_type_kpi_feedback(since timestamp with time zone, until timestamp with time zone) IS 'A step of email_type_kpi_counts(). E-ACT-04 and E-ADV-02: opens and clicks.';

CREATE FUNCTION public.email_type_kpi_invitations(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_type_kpi_invitations(since timestamp with time zone, until timestamp with time zone) IS 'A step of email_type_kpi_counts(). E-TRX-02: an invitation accepted within seven days of its first letter.';

CREATE FUNCTION public.email_type_kpi_logins(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_type_kpi_logins(since timestamp with time zone, until timestamp with time zone) IS 'A step of email_type_kpi_counts(). E-SEC-02: the logins that their owners answered for in the period, each once: confirmed, or reported, which outweighs a confirmation.';

CREATE FUNCTION public.email_type_kpi_payments(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_type_kpi_payments(since timestamp with time zone, until timestamp with time zone) IS 'A step of email_type_kpi_counts(). E-BILL-01: the invoices that were written about, and paid.';

CREATE FUNCTION public.email_type_kpi_projects(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_type_kpi_projects(since timestamp with time zone, until timestamp with time zone) IS 'A step of email_type_kpi_counts(). E-TRX-01 and E-ACT-01: a project within 24 hours of the sign-up.';

CREATE FUNCTION public.email_type_kpi_returns(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC';

COMMENT ON FUNCTION public.email_type_kpi_returns(since timestamp with time zone, until timestamp with time zone) IS 'A step of email_type_kpi_counts(). E-RET-01 to E-RET-04: active again, and more deployments than before.';

CREATE FUNCTION public.email_type_kpi_survey(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_type_kpi_survey(since timestamp with time zone, until timestamp with time zone) IS 'A step of email_type_kpi_counts(). E-ADV-01: readers who answered the survey within seven days, and what they answered.';

CREATE FUNCTION public.email_type_kpi_twofa(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_type_kpi_twofa(since timestamp with time zone, until timestamp with time zone) IS 'A step of email_type_kpi_counts(). E-SEC-01: from the alert that two-factor authentication is off to its being on again, within seven days and not within an hour.';

CREATE FUNCTION public.email_type_kpi_unsubscribes(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_type_kpi_unsubscribes(since timestamp with time zone, until timestamp with time zone) IS 'A step of email_type_kpi_counts(). E-RET-04: readers who leave by the link instead of by a complaint.';

CREATE FUNCTION public.email_type_kpi_upgrades(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_type_kpi_upgrades(since timestamp with time zone, until timestamp with time zone) IS 'A step of email_type_kpi_counts(). E-CONV-01 to E-CONV-05: from free to a paid plan.';

CREATE FUNCTION public.email_type_kpi_verdicts(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_type_kpi_verdicts(since timestamp with time zone, until timestamp with time zone) IS 'A step of email_type_kpi_counts(). E-ACT-05: from the first alert to the first look at the verdict, and to the next verdict "ok".';

CREATE FUNCTION public.email_type_kpis_over(over interval DEFAULT '30 days'::interval) RETURNS TABLE(code text, kpi text, unit text, value numeric, numerator bigint, denominator bigint, measured bigint, holdout_value numeric, holdout_numerator bigint, holdout_denominator bigint, lift numeric, lift_low numeric, lift_high numeric)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_type_kpis_over(over interval) IS 'Each email''s own KPI over a period that ends now (30 days unless told, one day at least). See docs/kpis.md.';

CREATE FUNCTION public.email_types_applied() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_types_applied() IS 'After an update of email_types: disabling suppresses what is queued, resuming releases what waited, a new priority re-ranks the queue.';

CREATE FUNCTION public.email_types_cta_check() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_types_cta_check() IS 'Before params of a type are inserted or changed: refuses a cta_path that no letter of it could use.';

CREATE FUNCTION public.email_types_edited() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_types_edited() IS 'Before every update of email_types: enabling again sets active_since, so that nothing is sent about the time between.';

CREATE FUNCTION public.email_unmeasured(verdict text, summary text) RETURNS boolean
    LANGUAGE sql IMMUTABLE;

COMMENT ON FUNCTION public.email_unmeasured(verdict text, summary text) IS 'Whether a verdict says that nothing could be measured, which is no alert; by the exact summaries the application''s engine writes.';

CREATE FUNCTION public.email_unsubscribe(token uuid, category text DEFAULT NULL::text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s';

COMMENT ON FUNCTION public.email_unsubscribe(token uuid, category text) IS 'Opts the holder of a token out of product or marketing, or of both (null). What is queued is decided at its claim, retries included. Answers whether the token is known; doing it twice changes nothing.';

CREATE FUNCTION public.email_urgent(rank integer) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION public.email_urgent(rank integer) IS 'Whether a letter of this rank is urgent: it waits for two turns of the rate budget at most, and a sidecar keeps its last free request for it.';

CREATE FUNCTION public.email_urgent_due() RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_urgent_due() IS 'Whether an urgent letter (email_urgent) is due: a sidecar keeps its last free request for those. One short index scan per rank, however many lie ahead.';

CREATE FUNCTION public.email_usage(of_user uuid, since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(used_at timestamp with time zone)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_usage(of_user uuid, since timestamp with time zone, until timestamp with time zone) IS 'Every moment from since (included) to until (not included) at which this user used the product: a deployment of an own project started, a verdict viewed.';

CREATE FUNCTION public.email_user_of_address(address text) RETURNS uuid
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_user_of_address(address text) IS 'The user with this address; null when there is none.';

CREATE FUNCTION public.email_value(of_projects uuid[], since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(deployments bigint, analysed bigint, warnings bigint, rollbacks bigint, unmeasured bigint, failed bigint)
    LANGUAGE sql STABLE;

COMMENT ON FUNCTION public.email_value(of_projects uuid[], since timestamp with time zone, until timestamp with time zone) IS 'What SEQPULSE did for these projects from since to until (not included): deployments, those it analysed (a verdict that could measure), those with verdict warning and rollback_recommended, those whose verdict could not measure, and those whose pipeline failed, whatever the verdict. Zeros when there is nothing.';

CREATE FUNCTION public.email_verdict_figures(deployments uuid[]) RETURNS TABLE(deployment_id uuid, verdict text, figures jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_verdict_figures(deployments uuid[]) IS 'Verdict and figures of these deployments'' letters: each metric as mean before and after the release with its threshold and how many samples are beyond it, the failing ones first; measured (false: the engine could not judge), reasons, diagnosis and actions in French; left_out: what the engine wrote and nobody has French for.';

CREATE FUNCTION public.email_verdict_limits() RETURNS TABLE(metric text, secured double precision, tolerated double precision, at_most double precision, place integer)
    LANGUAGE sql IMMUTABLE ROWS 5
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_verdict_limits() IS 'What the engine judges a metric by: the threshold a sample must not exceed (traffic: null, a sample must not fall more than 20 % below the mean from before the release), the share of samples that may, and the highest value that is one.';

CREATE FUNCTION public.email_wake_key() RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_wake_key() IS 'The first number of the advisory locks of the wake-up; the second is the lane.';

CREATE FUNCTION public.email_wake_lanes() RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_wake_lanes() IS 'How many lanes the wake-up has; email_sleep() speaks of them as bits.';

CREATE FUNCTION public.email_wau_over(over interval DEFAULT '84 days'::interval) RETURNS TABLE(week text, starts date, users bigint, returned bigint, value numeric, complete boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET jit TO 'off';

COMMENT ON FUNCTION public.email_wau_over(over interval) IS 'Weekly active users of the weeks of a period that ends now (12 weeks unless told), the running one included. See docs/kpis.md.';

CREATE FUNCTION public.email_week(week text) RETURNS date
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_week(week text) IS 'The Monday of an ISO week such as 2026-W09; null when it is not one.';

CREATE FUNCTION public.email_wilson(successes bigint, trials bigint, OUT low numeric, OUT high numeric) RETURNS record
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_wilson(successes bigint, trials bigint, OUT low numeric, OUT high numeric) IS '95 % confidence interval (Wilson) of a share, in percent; null when there were no trials.';

CREATE FUNCTION public.email_zone(name text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_zone(name text) IS 'The time zone to reckon with for what a preferences row says: itself when Postgres knows it, otherwise (and for null) Europe/Paris.';

CREATE FUNCTION public.email_zones() RETURNS TABLE(name text, zone text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp';

COMMENT ON FUNCTION public.email_zones() IS 'Every time zone that stands in email_preferences and the default one: as written, and the one to reckon with.';

CREATE VIEW public.email_ab_results AS
 SELECT r.email_type,
    r.variant,
    r.sent,
    r.measured,
    r.clicks,
    r.opens,
    r.rate,
    r.rate_low,
    r.rate_high,
    r.open_rate,
    r.open_rate_low,
    r.open_rate_high
   FROM public.email_ab_results_over('90 days'::interval) r(email_type, variant, sent, measured, clicks, opens, rate, rate_low, rate_high, open_rate, open_rate_low, open_rate_high);

COMMENT ON VIEW public.email_ab_results IS 'Types that have subject variants: how each subject did in 90 days. Two intervals that overlap prove nothing yet.';

COMMENT ON COLUMN public.email_ab_results.email_type IS 'A code of email_types.';

COMMENT ON COLUMN public.email_ab_results.variant IS 'As in email_subject_variants; null is the letter''s own subject.';

COMMENT ON COLUMN public.email_ab_results.sent IS 'Letters sent with it.';

COMMENT ON COLUMN public.email_ab_results.measured IS 'How many of them went to users who consented to tracking: only their opens and clicks are known.';

COMMENT ON COLUMN public.email_ab_results.clicks IS 'Letters with a click, a mail client''s prefetching aside.';

COMMENT ON COLUMN public.email_ab_results.opens IS 'Letters opened, a mail client''s prefetching aside.';

COMMENT ON COLUMN public.email_ab_results.rate IS 'clicks of sent, in percent.';

COMMENT ON COLUMN public.email_ab_results.rate_low IS 'Lower end of rate''s 95 % confidence interval (Wilson).';

COMMENT ON COLUMN public.email_ab_results.rate_high IS 'Upper end of it.';

COMMENT ON COLUMN public.email_ab_results.open_rate IS 'opens of measured, in percent; null when nobody consented.';

COMMENT ON COLUMN public.email_ab_results.open_rate_low IS 'Lower end of open_rate''s 95 % confidence interval (Wilson).';

COMMENT ON COLUMN public.email_ab_results.open_rate_high IS 'Upper end of it.';

CREATE TABLE public.email_batches (
    batch_id uuid NOT NULL,
    state text DEFAULT 'sending'::text NOT NULL,
    provider text NOT NULL,
    endpoint text NOT NULL,
    worker text NOT NULL,
    recovery text NOT NULL,
    attempt integer DEFAULT 1 NOT NULL,
    searches integer DEFAULT 0 NOT NULL,
    first_sent_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    last_sent_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    in_flight_until timestamp with time zone NOT NULL,
    resolve_until timestamp with time zone NOT NULL,
    patience interval,
    settled_at timestamp with time zone,
    members bigint[] NOT NULL,
    idempotency_key text NOT NULL,
    body_sha256 bytea NOT NULL,
    settings jsonb NOT NULL,
    tokens uuid[],
    tracked boolean[] NOT NULL,
    forget boolean DEFAULT false NOT NULL,
    mismatched_at timestamp with time zone,
    mismatched_by text,
    CONSTRAINT email_batches_members_not_empty CHECK (((cardinality(members) > 0) AND (cardinality(tracked) = cardinality(members)))),
    CONSTRAINT email_batches_recovery_known CHECK ((recovery = ANY (ARRAY['repeat'::text, 'search'::text, 'again'::text]))),
    CONSTRAINT email_batches_state_known CHECK ((state = ANY (ARRAY['sending'::text, 'unknown'::text, 'settled'::text])))
);

COMMENT ON TABLE public.email_batches IS 'One row per API request, committed before the request leaves: a batch without a row here was never sent. Kept as long as sent outbox rows.';

COMMENT ON COLUMN public.email_batches.batch_id IS 'email_outbox.batch_id of its members; Postmark metadata "attempt".';

COMMENT ON COLUMN public.email_batches.state IS 'sending: a request may be under way. unknown: nobody knows whether it was accepted; it is being found out. settled: every member''s outcome is recorded.';

COMMENT ON COLUMN public.email_batches.provider IS 'As in EMAIL_PROVIDER: only a sidecar of the same provider can find out what became of it.';

COMMENT ON COLUMN public.email_batches.endpoint IS 'Path of the request below the provider''s address.';

COMMENT ON COLUMN public.email_batches.worker IS 'email_workers.id of the sidecar that sent it last.';

COMMENT ON COLUMN public.email_batches.recovery IS 'How an unknown outcome is resolved. repeat: the same bytes under the same key. search: the provider''s messages are searched for the batch id. again: nothing to ask, sent again once the lease is over.';

COMMENT ON COLUMN public.email_batches.attempt IS 'How often it was sent.';

COMMENT ON COLUMN public.email_batches.searches IS 'How often the provider''s messages were searched since the outcome became unknown.';

COMMENT ON COLUMN public.email_batches.first_sent_at IS 'By the real clock: the provider''s idempotency key lives from here.';

COMMENT ON COLUMN public.email_batches.last_sent_at IS 'By the real clock: patience with the provider''s search counts from here.';

COMMENT ON COLUMN public.email_batches.in_flight_until IS 'Until then, by the real clock, the latest request may still be under way, whatever became of its sidecar.';

COMMENT ON COLUMN public.email_batches.resolve_until IS 'After this moment of the real clock the provider can no longer tell: what is still unknown then is failed (unknown outcome).';

COMMENT ON COLUMN public.email_batches.patience IS 'How long the search may find nothing before a message counts as not accepted (EMAIL_RECONCILE_SECONDS); null unless recovery is search.';

COMMENT ON COLUMN public.email_batches.settled_at IS 'When, by the real clock; null until it is settled.';

COMMENT ON COLUMN public.email_batches.members IS 'email_outbox.id in the order of the request.';

COMMENT ON COLUMN public.email_batches.idempotency_key IS 'Header Idempotency-Key, derived from the members'' dedupe keys and attempts.';

COMMENT ON COLUMN public.email_batches.body_sha256 IS 'SHA-256 of the request''s body: a sidecar whose rendering gives another one does not repeat it.';

COMMENT ON COLUMN public.email_batches.settings IS 'What shaped the body besides the members: version, sender, addresses. No secret is among it.';

COMMENT ON COLUMN public.email_batches.tokens IS 'The members'' unsubscribe tokens, frozen; null when no letter has one.';

COMMENT ON COLUMN public.email_batches.tracked IS 'Whether opens and clicks of each member are tracked, frozen.';

COMMENT ON COLUMN public.email_batches.forget IS 'Whether members were asked to be forgotten while their outcome was unknown: they are erased when the request is settled.';

COMMENT ON COLUMN public.email_batches.mismatched_at IS 'When a sidecar last left it alone because its own rendering differs; null means none did.';

COMMENT ON COLUMN public.email_batches.mismatched_by IS 'Which sidecar did, and what it would have rendered with.';

CREATE TABLE public.email_deliveries (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    project_id uuid,
    email_type character varying(40) NOT NULL,
    dedupe_key character varying(255) NOT NULL,
    status character varying(20) DEFAULT 'queued'::character varying NOT NULL,
    provider_message_id character varying(255),
    payload_json jsonb,
    error_message text,
    sent_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT public.email_now() NOT NULL,
    outbox_id bigint,
    provider text,
    variant text,
    slot text,
    slot_category text
)
WITH (fillfactor='45');

COMMENT ON TABLE public.email_deliveries IS 'The journal and the authority on duplicates: one row per dedupe key, for ever. Written when a row is claimed, settled when the provider answered.';

COMMENT ON COLUMN public.email_deliveries.id IS 'Travels with the message as Resend tag or Postmark metadata "delivery" and comes back in every webhook.';

COMMENT ON COLUMN public.email_deliveries.user_id IS 'The recipient''s user; for an invitation the inviter.';

COMMENT ON COLUMN public.email_deliveries.project_id IS 'The project it is about; null when it is about none.';

COMMENT ON COLUMN public.email_deliveries.email_type IS 'The code of the specification, such as E-TRX-01.';

COMMENT ON COLUMN public.email_deliveries.dedupe_key IS 'Unique: a key that stands here is never sent again.';

COMMENT ON COLUMN public.email_deliveries.status IS 'queued: claimed, not settled yet. sent: accepted by the provider. failed: given up, see error_message. suppressed: not sent on purpose, see payload_json.reason.';

COMMENT ON COLUMN public.email_deliveries.provider_message_id IS 'The provider''s own id; null until accepted.';

COMMENT ON COLUMN public.email_deliveries.payload_json IS 'to_email, subject, context (the figures in the letter) and reason; only the reason, or null, once the user was forgotten or the retention is over.';

COMMENT ON COLUMN public.email_deliveries.error_message IS 'The last failure; null means none.';

COMMENT ON COLUMN public.email_deliveries.sent_at IS 'When the provider accepted it; null unless sent.';

COMMENT ON COLUMN public.email_deliveries.created_at IS 'When it was first claimed.';

COMMENT ON COLUMN public.email_deliveries.outbox_id IS 'The email_outbox row it came from, which is gone after the retention; null for rows of the application''s own sender.';

COMMENT ON COLUMN public.email_deliveries.provider IS 'Which provider it was handed to; null for rows of the application''s own sender and for rows never handed to one.';

COMMENT ON COLUMN public.email_deliveries.variant IS 'The A/B subject used (email_subject_variants); null means the letter''s own subject.';

COMMENT ON COLUMN public.email_deliveries.slot IS 'Whose slot (email_marketing_slots.recipient) this letter took; null: not capped, never handed to a provider, or sent by the application''s own sender.';

COMMENT ON COLUMN public.email_deliveries.slot_category IS 'The category of the slot that this letter took, product or marketing; kept because its type may be given another one. null: as slot.';

CREATE TABLE public.email_settings (
    id boolean DEFAULT true NOT NULL,
    armed_for text,
    paused_at timestamp with time zone,
    paused_by text,
    paused_reason text,
    probe_at timestamp with time zone,
    probes integer DEFAULT 0 NOT NULL,
    probed_by text,
    marketing_cooldown interval DEFAULT '24:00:00'::interval NOT NULL,
    cooldown_raised_at timestamp with time zone,
    lookahead interval DEFAULT '02:00:00'::interval NOT NULL,
    blast_limit integer DEFAULT 10000 NOT NULL,
    notify boolean DEFAULT true NOT NULL,
    handover boolean DEFAULT true NOT NULL,
    jobs_moved_at timestamp with time zone,
    retention_sent interval DEFAULT '7 days'::interval NOT NULL,
    retention_failed interval DEFAULT '90 days'::interval NOT NULL,
    retention_context interval DEFAULT '400 days'::interval NOT NULL,
    retention_events interval DEFAULT '400 days'::interval NOT NULL,
    context_erased_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT email_settings_blast_limit_positive CHECK ((blast_limit > 0)),
    CONSTRAINT email_settings_lookahead_not_negative CHECK ((lookahead >= '00:00:00'::interval)),
    CONSTRAINT email_settings_marketing_cooldown_not_negative CHECK ((marketing_cooldown >= '00:00:00'::interval)),
    CONSTRAINT email_settings_one_row CHECK (id),
    CONSTRAINT email_settings_paused_by_known CHECK ((paused_by = ANY (ARRAY['provider'::text, 'person'::text]))),
    CONSTRAINT email_settings_paused_reason_only_paused CHECK (((paused_reason IS NULL) OR (paused_at IS NOT NULL))),
    CONSTRAINT email_settings_probe_only_provider CHECK (((probe_at IS NULL) OR (paused_by = 'provider'::text))),
    CONSTRAINT email_settings_retention_personal_range CHECK (((retention_context >= '30 days'::interval) AND (retention_events >= '30 days'::interval))),
    CONSTRAINT email_settings_retention_positive CHECK (((retention_sent > '00:00:00'::interval) AND (retention_failed > '00:00:00'::interval)))
);

COMMENT ON TABLE public.email_settings IS 'One row: what holds for every kind of email.';

COMMENT ON COLUMN public.email_settings.id IS 'Always true: there is one row.';

COMMENT ON COLUMN public.email_settings.armed_for IS 'The email_identity() this database may send from; null or another one (a restored copy) means nothing is sent until email_arm() is called.';

COMMENT ON COLUMN public.email_settings.paused_at IS 'Since when nothing at all is sent; null means running. Set by email_pause(null), or by a sidecar when the provider refuses the whole account.';

COMMENT ON COLUMN public.email_settings.paused_by IS 'provider: a sidecar stopped because the provider refuses the whole account, and one message probes from time to time. person, or null while paused: only email_resume() starts again.';

COMMENT ON COLUMN public.email_settings.paused_reason IS 'Why nothing is sent; null means running, or no reason given.';

COMMENT ON COLUMN public.email_settings.probe_at IS 'When one message will try whether the provider takes mail again, by the real clock; null unless paused by the provider.';

COMMENT ON COLUMN public.email_settings.probes IS 'How many probes were refused since it paused: each doubles the wait, up to an hour.';

COMMENT ON COLUMN public.email_settings.probed_by IS 'The sidecar that holds the latest probe; null means none was made.';

COMMENT ON COLUMN public.email_settings.marketing_cooldown IS 'At most one capped email per recipient in this time.';

COMMENT ON COLUMN public.email_settings.cooldown_raised_at IS 'When marketing_cooldown was last raised: email_cap_violations does not hold letters against a rule that came after them. null means never.';

COMMENT ON COLUMN public.email_settings.lookahead IS 'A lighter capped email does not take the slot while a heavier one for the same recipient falls due within this time.';

COMMENT ON COLUMN public.email_settings.blast_limit IS 'A scan that would enqueue more rows than this in one run enqueues nothing and pauses its type; email_types.params.blast_limit overrides it.';

COMMENT ON COLUMN public.email_settings.notify IS 'false for applications that use PREPARE TRANSACTION (it cannot be combined with NOTIFY): the poll then serves.';

COMMENT ON COLUMN public.email_settings.handover IS 'Whether emails that the application schedules in scheduled_jobs are taken out of it and sent from here; false leaves every job to the application''s own sender. Without effect where that table does not exist.';

COMMENT ON COLUMN public.email_settings.jobs_moved_at IS 'When migrate moved the jobs that were pending at the switch, which it does once; null means not yet. By hand: select * from public.email_take_jobs().';

COMMENT ON COLUMN public.email_settings.retention_sent IS 'How long sent and suppressed outbox rows stay; the journal keeps their keys for ever.';

COMMENT ON COLUMN public.email_settings.retention_failed IS 'How long failed outbox rows stay.';

COMMENT ON COLUMN public.email_settings.retention_context IS 'How long the journal keeps address, subject, context and error text of a letter, and email_signals the personal keys of a fact; then they are erased. Keys, status, reason and times stay for ever. At least 30 days: sequences and repeated requests need them. 400 days: figures can be compared with the same month of last year.';

COMMENT ON COLUMN public.email_settings.retention_events IS 'How long email_events stay; the views look back 30 days, so at least that.';

COMMENT ON COLUMN public.email_settings.context_erased_until IS 'Kept by email_erase_contexts(): everything created before this moment has been erased, and is not looked at again.';

CREATE TABLE public.email_types (
    code text NOT NULL,
    name text NOT NULL,
    category text NOT NULL,
    capped boolean NOT NULL,
    priority integer NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    paused_at timestamp with time zone,
    paused_reason text,
    blast_found integer,
    phase integer NOT NULL,
    expires_after interval NOT NULL,
    max_attempts integer DEFAULT 10 NOT NULL,
    holdout_percent integer DEFAULT 0 NOT NULL,
    active_since timestamp with time zone DEFAULT public.email_now() NOT NULL,
    params jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT email_types_blast_found_positive CHECK ((blast_found > 0)),
    CONSTRAINT email_types_capped_category CHECK (((NOT capped) OR (category = ANY (ARRAY['product'::text, 'marketing'::text])))),
    CONSTRAINT email_types_category_known CHECK ((category = ANY (ARRAY['security'::text, 'transactional'::text, 'product'::text, 'marketing'::text]))),
    CONSTRAINT email_types_code_form CHECK ((code ~ '^E-[A-Z]{2,8}-[0-9]{2}$'::text)),
    CONSTRAINT email_types_expires_after_positive CHECK ((expires_after > '00:00:00'::interval)),
    CONSTRAINT email_types_holdout_percent_range CHECK (((holdout_percent >= 0) AND (holdout_percent <= 100))),
    CONSTRAINT email_types_max_attempts_positive CHECK ((max_attempts > 0)),
    CONSTRAINT email_types_params_object CHECK ((jsonb_typeof(params) = 'object'::text)),
    CONSTRAINT email_types_paused_reason_only_paused CHECK (((paused_reason IS NULL) OR (paused_at IS NOT NULL))),
    CONSTRAINT email_types_phase_positive CHECK ((phase > 0)),
    CONSTRAINT email_types_priority_range CHECK (((priority >= 0) AND (priority <= 1000)))
);

COMMENT ON TABLE public.email_types IS 'The catalogue: one row per kind of email, edited by DBAs. How a kind is caused and when it is true stands in sql/triggers/, one file per code.';

COMMENT ON COLUMN public.email_types.code IS 'The code of the specification, such as E-TRX-01.';

COMMENT ON COLUMN public.email_types.name IS 'What it is, for people.';

COMMENT ON COLUMN public.email_types.category IS 'security and transactional always go out; product obeys email_preferences.product_updates_opt_in, marketing obeys marketing_opt_in.';

COMMENT ON COLUMN public.email_types.capped IS 'Whether it counts against, and waits for, the recipient''s one capped email of its category per email_settings.marketing_cooldown.';

COMMENT ON COLUMN public.email_types.priority IS 'Higher goes first, in the queue and for the recipient''s slot. A row''s own priority wins.';

COMMENT ON COLUMN public.email_types.enabled IS 'false: nothing is enqueued any more, and what was queued becomes suppressed (type disabled). Enabling again sets active_since to now.';

COMMENT ON COLUMN public.email_types.paused_at IS 'When it was paused; null means running. Rows of a paused type wait; nothing is lost.';

COMMENT ON COLUMN public.email_types.paused_reason IS 'Why it was paused; null means running, or no reason given.';

COMMENT ON COLUMN public.email_types.blast_found IS 'How many letters a scan held back because they were over the blast limit: it paused the type. Once the type is resumed the next scan lets them through and empties this; null means nothing is held back.';

COMMENT ON COLUMN public.email_types.phase IS 'The rollout phase (docs/rules.md#phases); see email_enable_phase.';

COMMENT ON COLUMN public.email_types.expires_after IS 'Counted from email_outbox.due_at: a letter that could not go out by then is suppressed as expired.';

COMMENT ON COLUMN public.email_types.max_attempts IS 'Requests the provider may answer with a failure before the row is failed.';

COMMENT ON COLUMN public.email_types.holdout_percent IS 'Share of users, picked by a stable hash of user and code, who are suppressed as holdout, so that the KPI views can show what the email itself changed. 0 means nobody.';

COMMENT ON COLUMN public.email_types.active_since IS 'Facts older than this never cause this email: installing on a live database sends nothing about the past.';

COMMENT ON COLUMN public.email_types.params IS 'Thresholds and delays of this code, by name; documented at the top of its file in sql/triggers/.';

CREATE VIEW public.email_cap_violations AS
 SELECT l.user_id,
    l.earlier_type,
    l.earlier_delivery_id,
    l.earlier_sent_at,
    l.email_type AS later_type,
    l.id AS later_delivery_id,
    l.sent_at AS later_sent_at,
    (l.sent_at - l.earlier_sent_at) AS gap,
    l.category
   FROM (( SELECT d.id,
            d.user_id,
            d.email_type,
            d.sent_at,
            COALESCE(d.slot_category, t.category) AS category,
            lag(d.email_type) OVER w AS earlier_type,
            lag(d.id) OVER w AS earlier_delivery_id,
            lag(d.sent_at) OVER w AS earlier_sent_at
           FROM (public.email_deliveries d
             JOIN public.email_types t ON ((t.code = (d.email_type)::text)))
          WHERE ((d.sent_at IS NOT NULL) AND ((d.slot IS NOT NULL) OR ((d.outbox_id IS NULL) AND t.capped)))
          WINDOW w AS (PARTITION BY COALESCE(d.slot, (d.user_id)::text), COALESCE(d.slot_category, t.category) ORDER BY d.sent_at, d.id)) l
     CROSS JOIN public.email_settings s)
  WHERE (((l.sent_at - l.earlier_sent_at) < s.marketing_cooldown) AND (l.earlier_sent_at > COALESCE(s.cooldown_raised_at, '-infinity'::timestamp with time zone)));

COMMENT ON VIEW public.email_cap_violations IS 'The proof of the cap, over the whole journal: two capped letters of one recipient and category closer to each other than email_settings.marketing_cooldown. Always empty, save for what an adopted journal brings along.';

COMMENT ON COLUMN public.email_cap_violations.user_id IS 'The user of the later letter.';

COMMENT ON COLUMN public.email_cap_violations.earlier_type IS 'The code of the earlier letter.';

COMMENT ON COLUMN public.email_cap_violations.earlier_delivery_id IS 'Its email_deliveries.id.';

COMMENT ON COLUMN public.email_cap_violations.earlier_sent_at IS 'When it was sent.';

COMMENT ON COLUMN public.email_cap_violations.later_type IS 'The code of the later letter.';

COMMENT ON COLUMN public.email_cap_violations.later_delivery_id IS 'Its email_deliveries.id.';

COMMENT ON COLUMN public.email_cap_violations.later_sent_at IS 'When it was sent.';

COMMENT ON COLUMN public.email_cap_violations.gap IS 'The time between them.';

COMMENT ON COLUMN public.email_cap_violations.category IS 'Whose slot both had: product or marketing, as it was when they took it.';

CREATE VIEW public.email_conversion_cohorts AS
 SELECT c.cohort,
    c.month,
    c.months_after,
    c.projects,
    c.converted,
    c.converted_so_far,
    c.value,
    c.complete
   FROM public.email_conversion_cohorts_over('1 year'::interval) c(cohort, month, months_after, projects, converted, converted_so_far, value, complete);

COMMENT ON VIEW public.email_conversion_cohorts IS 'Conversion from free to a paid plan, month by month, of the projects created in each of the last 12 UTC months: what E-CONV-05 aims at. A row per cohort and month since. It reads a year of projects: for dashboards, not for every request.';

COMMENT ON COLUMN public.email_conversion_cohorts.cohort IS 'The month in which the projects were created, such as 2026-02.';

COMMENT ON COLUMN public.email_conversion_cohorts.month IS 'The month that is looked at.';

COMMENT ON COLUMN public.email_conversion_cohorts.months_after IS 'How many months after the cohort''s own it is; 0: the same.';

COMMENT ON COLUMN public.email_conversion_cohorts.projects IS 'How many projects of the cohort began as free. A deleted project counts nowhere.';

COMMENT ON COLUMN public.email_conversion_cohorts.converted IS 'How many of them first went from free to a paid plan in this month.';

COMMENT ON COLUMN public.email_conversion_cohorts.converted_so_far IS 'How many until the end of this month.';

COMMENT ON COLUMN public.email_conversion_cohorts.value IS 'converted_so_far of projects, in percent, two decimals.';

COMMENT ON COLUMN public.email_conversion_cohorts.complete IS 'false for the running month.';

CREATE VIEW public.email_deliveries_masked AS
 SELECT d.id,
    d.email_type,
    d.status,
    d.user_id,
    d.project_id,
    public.email_mask((d.payload_json ->> 'to_email'::text)) AS to_email,
    public.email_mask((d.dedupe_key)::text) AS dedupe_key,
    public.email_mask((d.payload_json ->> 'reason'::text)) AS reason,
    public.email_mask(d.error_message) AS error_message,
    d.provider,
    d.provider_message_id,
    d.variant,
    d.outbox_id,
    d.sent_at,
    d.created_at
   FROM public.email_deliveries d;

COMMENT ON VIEW public.email_deliveries_masked IS 'The journal with addresses masked, without subject and context: for email_reader.';

COMMENT ON COLUMN public.email_deliveries_masked.id IS 'As in email_deliveries.';

COMMENT ON COLUMN public.email_deliveries_masked.email_type IS 'As in email_deliveries.';

COMMENT ON COLUMN public.email_deliveries_masked.status IS 'As in email_deliveries.';

COMMENT ON COLUMN public.email_deliveries_masked.user_id IS 'As in email_deliveries.';

COMMENT ON COLUMN public.email_deliveries_masked.project_id IS 'As in email_deliveries.';

COMMENT ON COLUMN public.email_deliveries_masked.to_email IS 'First character and domain; null once it was erased, or when the letter never got as far.';

COMMENT ON COLUMN public.email_deliveries_masked.dedupe_key IS 'The key, an address in it masked.';

COMMENT ON COLUMN public.email_deliveries_masked.reason IS 'Why it was suppressed or failed; null means no reason is needed.';

COMMENT ON COLUMN public.email_deliveries_masked.error_message IS 'As in email_deliveries, addresses masked; null means none.';

COMMENT ON COLUMN public.email_deliveries_masked.provider IS 'As in email_deliveries.';

COMMENT ON COLUMN public.email_deliveries_masked.provider_message_id IS 'The provider''s own id, to ask their support with; null until accepted.';

COMMENT ON COLUMN public.email_deliveries_masked.variant IS 'As in email_deliveries.';

COMMENT ON COLUMN public.email_deliveries_masked.outbox_id IS 'As in email_deliveries.';

COMMENT ON COLUMN public.email_deliveries_masked.sent_at IS 'As in email_deliveries; null unless sent.';

COMMENT ON COLUMN public.email_deliveries_masked.created_at IS 'As in email_deliveries.';

CREATE TABLE public.email_engine_texts (
    source text NOT NULL,
    french text NOT NULL,
    shown boolean DEFAULT true NOT NULL,
    shipped text,
    CONSTRAINT email_engine_texts_french_said CHECK ((btrim(french) <> ''::text)),
    CONSTRAINT email_engine_texts_nothing_raw CHECK ((french !~ '\{(any|url)\}'::text)),
    CONSTRAINT email_engine_texts_source_form CHECK (((source <> ''::text) AND (source = btrim(regexp_replace(source, '\s+'::text, ' '::text, 'g'::text)))))
);

COMMENT ON TABLE public.email_engine_texts IS 'What the application''s analysis engine writes in English (summaries, details, titles, diagnoses, actions, errors of collecting), and our French for it. What is not here is left out of letters and listed by email_unknown_engine_texts.';

COMMENT ON COLUMN public.email_engine_texts.source IS 'The text exactly as the engine writes it, runs of blanks collapsed to one. {name} stands for a number or a word that changes; {any} and {url} stand for anything, which no letter repeats.';

COMMENT ON COLUMN public.email_engine_texts.french IS 'What letters say instead; {name} is filled with what stood there. A change by hand is kept when migrate ships a new wording.';

COMMENT ON COLUMN public.email_engine_texts.shown IS 'false: the text is known, and letters leave it out, because it says what their figures say already.';

COMMENT ON COLUMN public.email_engine_texts.shipped IS 'The French that migrate wrote last, to tell a change by hand from ours; null for rows that somebody added.';

CREATE TABLE public.email_events (
    id bigint NOT NULL,
    email_delivery_id uuid NOT NULL,
    event_type text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    provider_event_id text,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT email_events_event_type_known CHECK ((event_type = ANY (ARRAY['sent'::text, 'delivered'::text, 'delayed'::text, 'opened'::text, 'clicked'::text, 'bounced'::text, 'complained'::text, 'unsubscribed'::text, 'failed'::text, 'suppressed'::text])))
);

COMMENT ON TABLE public.email_events IS 'What became of a letter after the provider accepted it, from webhooks and from our own pages.';

COMMENT ON COLUMN public.email_events.id IS 'Order of arrival, which is not the order of the events.';

COMMENT ON COLUMN public.email_events.email_delivery_id IS 'email_deliveries.id. No foreign key: an event may arrive before its row is settled.';

COMMENT ON COLUMN public.email_events.event_type IS 'What happened; opened and clicked are stored only with the user''s tracking_consent.';

COMMENT ON COLUMN public.email_events.occurred_at IS 'When it happened, by the provider''s clock.';

COMMENT ON COLUMN public.email_events.provider_event_id IS 'The provider''s id of the event: the same event twice is stored once. null for events of our own pages.';

COMMENT ON COLUMN public.email_events.details IS 'What else the provider said.';

ALTER TABLE public.email_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.email_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW public.email_finish_ratio AS
 SELECT f.week,
    f.starts,
    f.triggered,
    f.finished,
    f.pending,
    f.value,
    f.complete
   FROM public.email_finish_ratio_over('84 days'::interval) f(week, starts, triggered, finished, pending, value, complete);

COMMENT ON VIEW public.email_finish_ratio IS 'Of the deployments triggered in each of the last 12 UTC weeks, how many were finished: what E-ACT-03 aims at. It reads the deployments of that time: for dashboards, not for every request.';

COMMENT ON COLUMN public.email_finish_ratio.week IS 'ISO week in which they were triggered, such as 2026-W09.';

COMMENT ON COLUMN public.email_finish_ratio.starts IS 'Its Monday.';

COMMENT ON COLUMN public.email_finish_ratio.triggered IS 'How many deployments began in it.';

COMMENT ON COLUMN public.email_finish_ratio.finished IS 'How many of them are finished, whenever that was.';

COMMENT ON COLUMN public.email_finish_ratio.pending IS 'How many are not, but began less than 48 hours ago: they count for nothing yet.';

COMMENT ON COLUMN public.email_finish_ratio.value IS 'finished of triggered without pending, in percent, two decimals; null when there are none.';

COMMENT ON COLUMN public.email_finish_ratio.complete IS 'false for the running week.';

CREATE TABLE public.email_forgotten (
    user_id uuid NOT NULL,
    forgotten_at timestamp with time zone DEFAULT public.email_now() NOT NULL
);

COMMENT ON TABLE public.email_forgotten IS 'Users who were forgotten: nothing more is sent to them, security included. Filled by email_forget_user().';

COMMENT ON COLUMN public.email_forgotten.user_id IS 'users.id; the user need not exist any more.';

COMMENT ON COLUMN public.email_forgotten.forgotten_at IS 'When.';

CREATE TABLE public.email_outbox (
    id bigint NOT NULL,
    email_type text NOT NULL,
    status text DEFAULT 'queued'::text NOT NULL,
    user_id uuid NOT NULL,
    project_id uuid,
    to_email text,
    dedupe_key text NOT NULL,
    run_at timestamp with time zone DEFAULT public.email_now() NOT NULL,
    due_at timestamp with time zone NOT NULL,
    retry_at timestamp with time zone,
    priority integer,
    rank integer NOT NULL,
    slot text,
    reason text,
    end_as text,
    attempts integer DEFAULT 0 NOT NULL,
    claims integer DEFAULT 0 NOT NULL,
    last_error text,
    locked_by text,
    locked_until timestamp with time zone,
    batch_id uuid,
    batch_position integer,
    claimed_at timestamp with time zone,
    batch_attempts integer,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT public.email_now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT email_outbox_attempts_and_claims_are_not_negative CHECK ((LEAST(attempts, claims) >= 0)),
    CONSTRAINT email_outbox_dedupe_key_has_1_to_255_characters CHECK (((length(dedupe_key) >= 1) AND (length(dedupe_key) <= 255))),
    CONSTRAINT email_outbox_ended_rows_alone_have_finished_at CHECK (((status = ANY ('{queued,sending}'::text[])) = (finished_at IS NULL))),
    CONSTRAINT email_outbox_failed_rows_have_an_error_or_a_reason CHECK (((status <> 'failed'::text) OR (last_error IS NOT NULL) OR (reason IS NOT NULL))),
    CONSTRAINT email_outbox_payload_is_a_json_object CHECK ((jsonb_typeof(payload) = 'object'::text)),
    CONSTRAINT email_outbox_queued_rows_alone_have_retry_at CHECK (((status = 'queued'::text) OR (retry_at IS NULL))),
    CONSTRAINT email_outbox_sending_rows_alone_have_a_lease CHECK ((((status = 'sending'::text) = (locked_by IS NOT NULL)) AND ((locked_by IS NULL) = (locked_until IS NULL)))),
    CONSTRAINT email_outbox_sending_rows_have_a_batch CHECK (((locked_by IS NULL) OR ((batch_id IS NOT NULL) AND (batch_position IS NOT NULL)))),
    CONSTRAINT email_outbox_status_is_known CHECK ((status = ANY ('{queued,sending,sent,failed,suppressed}'::text[]))),
    CONSTRAINT email_outbox_suppressed_rows_have_a_reason CHECK (((status <> 'suppressed'::text) OR (reason IS NOT NULL)))
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_insert_scale_factor='0.05', autovacuum_analyze_scale_factor='0.05');

COMMENT ON TABLE public.email_outbox IS 'The work: one row per email to send. Plain INSERTs are welcome (email_type, user_id and dedupe_key are enough); a known key is skipped silently. Every row ends sent, failed or suppressed with one reason.';

COMMENT ON COLUMN public.email_outbox.id IS 'Order of arrival.';

COMMENT ON COLUMN public.email_outbox.email_type IS 'A code of email_types. No foreign key: its check locks the catalogue''s row at every insert, which concurrent writers pay for; the admission trigger refuses an unknown code with the same error.';

COMMENT ON COLUMN public.email_outbox.status IS 'queued: waits for run_at. sending: claimed by locked_by until locked_until. sent: the provider accepted it. failed: given up, see last_error. suppressed: not sent on purpose, see reason.';

COMMENT ON COLUMN public.email_outbox.user_id IS 'The recipient''s user; for an invitation the inviter.';

COMMENT ON COLUMN public.email_outbox.project_id IS 'The project it is about; null when it is about none.';

COMMENT ON COLUMN public.email_outbox.to_email IS 'Where it goes; null means the user''s address at the moment of sending.';

COMMENT ON COLUMN public.email_outbox.dedupe_key IS 'One letter per key, for ever: the journal remembers it after this row is gone.';

COMMENT ON COLUMN public.email_outbox.run_at IS 'Not before this moment of email_now(); moved when the row is deferred, infinity while its type is paused.';

COMMENT ON COLUMN public.email_outbox.due_at IS 'The first run_at: email_types.expires_after counts from it.';

COMMENT ON COLUMN public.email_outbox.retry_at IS 'After a transient failure: not before this moment of the real clock. null means no retry is pending.';

COMMENT ON COLUMN public.email_outbox.priority IS 'Higher goes first; null means the type''s priority.';

COMMENT ON COLUMN public.email_outbox.rank IS 'The priority in force (the row''s or else its type''s), kept by triggers so that the claim can use an index. Not to be written: an INSERT''s own value is replaced.';

COMMENT ON COLUMN public.email_outbox.slot IS 'Whose slot (email_marketing_slots.recipient) this row holds (its outbox_id is this row) or, while it is queued, waits for, in the category of its type; null: not capped, or not claimed yet.';

COMMENT ON COLUMN public.email_outbox.reason IS 'Why it is suppressed, or why it waits; null means no reason is needed.';

COMMENT ON COLUMN public.email_outbox.end_as IS 'Asked for while it was being sent (email_cancel, email_forget_user): should the provider turn out not to have accepted it, it is suppressed with this reason instead of tried again. null: nothing was asked.';

COMMENT ON COLUMN public.email_outbox.attempts IS 'Requests the provider answered with a failure of this message or a server error.';

COMMENT ON COLUMN public.email_outbox.claims IS 'Claims since the last settled one: up to 3 are counted in company, from the fourth on those made alone. A row whose sidecar died five times while it was alone is failed.';

COMMENT ON COLUMN public.email_outbox.last_error IS 'The last failure, in the provider''s or our words; null means none.';

COMMENT ON COLUMN public.email_outbox.locked_by IS 'email_workers.id of the sidecar that sends it; null unless sending.';

COMMENT ON COLUMN public.email_outbox.locked_until IS 'End of the lease by the real clock, after which another sidecar takes over; null unless sending.';

COMMENT ON COLUMN public.email_outbox.batch_id IS 'The API request it is, or was last, part of; null before the first claim and after a definite failure.';

COMMENT ON COLUMN public.email_outbox.batch_position IS 'Its place in that request, from 0.';

COMMENT ON COLUMN public.email_outbox.claimed_at IS 'When batch_id was first claimed, by the real clock: how old an unknown outcome is. null when batch_id is.';

COMMENT ON COLUMN public.email_outbox.batch_attempts IS 'attempts when batch_id was claimed: part of the request''s idempotency key, which must not change while an outcome is unknown. null when batch_id is.';

COMMENT ON COLUMN public.email_outbox.payload IS 'Keys of the fact that caused it; fresh figures are computed at the claim and win over these.';

COMMENT ON COLUMN public.email_outbox.created_at IS 'When it was enqueued.';

COMMENT ON COLUMN public.email_outbox.finished_at IS 'When it ended; null while it is queued or sending.';

COMMENT ON CONSTRAINT email_outbox_attempts_and_claims_are_not_negative ON public.email_outbox IS 'Both count from 0; email_retry() starts them anew.';

COMMENT ON CONSTRAINT email_outbox_dedupe_key_has_1_to_255_characters ON public.email_outbox IS 'One letter per key. Shorten what the key is made of, or hash it; an empty key would be everyone''s.';

COMMENT ON CONSTRAINT email_outbox_ended_rows_alone_have_finished_at ON public.email_outbox IS 'A row that is sent, failed or suppressed has finished_at; one that is queued or sending has not. By hand: email_cancel(), email_retry().';

COMMENT ON CONSTRAINT email_outbox_failed_rows_have_an_error_or_a_reason ON public.email_outbox IS 'Say in last_error or reason why it was given up.';

COMMENT ON CONSTRAINT email_outbox_payload_is_a_json_object ON public.email_outbox IS 'Write {"key": value}; leave payload out when the letter needs no keys.';

COMMENT ON CONSTRAINT email_outbox_queued_rows_alone_have_retry_at ON public.email_outbox IS 'retry_at is the end of a backoff: null it when a row ends.';

COMMENT ON CONSTRAINT email_outbox_sending_rows_alone_have_a_lease ON public.email_outbox IS 'locked_by and locked_until are set while a row is being sent, and null otherwise. By hand: email_cancel(), email_retry() keep them in step.';

COMMENT ON CONSTRAINT email_outbox_sending_rows_have_a_batch ON public.email_outbox IS 'A row that is being sent has batch_id and batch_position, which its request goes by. Only a sidecar''s claim makes a row sending.';

COMMENT ON CONSTRAINT email_outbox_status_is_known ON public.email_outbox IS 'queued, sending, sent, failed or suppressed: see the column.';

COMMENT ON CONSTRAINT email_outbox_suppressed_rows_have_a_reason ON public.email_outbox IS 'Say in reason why it is not sent; email_cancel(id, reason) does.';

CREATE TABLE public.email_trigger_errors (
    id bigint NOT NULL,
    source text NOT NULL,
    email_type text,
    error text NOT NULL,
    row_data jsonb,
    occurred_at timestamp with time zone DEFAULT public.email_now() NOT NULL,
    replayed_at timestamp with time zone
);

COMMENT ON TABLE public.email_trigger_errors IS 'What a trigger of ours could not do: the application''s statement went through, the email was not enqueued. email_replay_errors() makes up for it.';

COMMENT ON COLUMN public.email_trigger_errors.id IS 'Order of arrival.';

COMMENT ON COLUMN public.email_trigger_errors.source IS 'The table whose trigger failed, or the function.';

COMMENT ON COLUMN public.email_trigger_errors.email_type IS 'The code that was to be enqueued; null when it is not about one.';

COMMENT ON COLUMN public.email_trigger_errors.error IS 'SQLSTATE and message.';

COMMENT ON COLUMN public.email_trigger_errors.row_data IS 'The fact: ids and the columns the trigger uses, never secrets; null when there is none.';

COMMENT ON COLUMN public.email_trigger_errors.occurred_at IS 'When.';

COMMENT ON COLUMN public.email_trigger_errors.replayed_at IS 'When it was made up for; null means not yet.';

CREATE TABLE public.email_workers (
    id text NOT NULL,
    hostname text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    provider text NOT NULL,
    state text NOT NULL,
    in_flight integer DEFAULT 0 NOT NULL,
    session_pid integer,
    session_start timestamp with time zone,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    last_seen_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    lost_at timestamp with time zone,
    CONSTRAINT email_workers_state_known CHECK ((state = ANY (ARRAY['running'::text, 'draining'::text, 'stopped'::text])))
)
WITH (fillfactor='50');

COMMENT ON TABLE public.email_workers IS 'A heartbeat per sidecar, by the real clock.';

COMMENT ON COLUMN public.email_workers.id IS 'host:pid:random, as in email_outbox.locked_by.';

COMMENT ON COLUMN public.email_workers.hostname IS 'Where it runs.';

COMMENT ON COLUMN public.email_workers.pid IS 'Its process there.';

COMMENT ON COLUMN public.email_workers.version IS 'Of the binary.';

COMMENT ON COLUMN public.email_workers.provider IS 'As in EMAIL_PROVIDER.';

COMMENT ON COLUMN public.email_workers.state IS 'running, draining (SIGTERM was received) or stopped.';

COMMENT ON COLUMN public.email_workers.in_flight IS 'Letters it holds at the moment.';

COMMENT ON COLUMN public.email_workers.session_pid IS 'Backend pid of its LISTEN connection (pg_stat_activity.pid); null while that is not connected.';

COMMENT ON COLUMN public.email_workers.session_start IS 'backend_start of that session, so that another one with the same pid is not taken for it; null when it is not known.';

COMMENT ON COLUMN public.email_workers.started_at IS 'When it started.';

COMMENT ON COLUMN public.email_workers.last_seen_at IS 'Its last heartbeat; older than three polls means it is gone.';

COMMENT ON COLUMN public.email_workers.lost_at IS 'When another sidecar first saw that session gone; null while it is there, and again after any sign of life.';

CREATE VIEW public.email_health AS
 SELECT (COALESCE(EXTRACT(epoch FROM (public.email_now() - min(o.run_at) FILTER (WHERE ((o.status = 'queued'::text) AND (o.retry_at IS NULL) AND (o.run_at <= public.email_now()))))), (0)::numeric))::numeric(12,1) AS lag_seconds,
    count(*) FILTER (WHERE ((o.status = 'queued'::text) AND (o.retry_at IS NULL) AND (o.run_at <= public.email_now()))) AS due,
    count(*) FILTER (WHERE (o.status = 'sending'::text)) AS in_flight,
    count(*) FILTER (WHERE (o.status = 'failed'::text)) AS failed,
    ( SELECT count(*) AS count
           FROM public.email_workers w
          WHERE ((w.state <> 'stopped'::text) AND (w.last_seen_at > (clock_timestamp() - '00:00:30'::interval)))) AS workers_alive,
    ( SELECT (s.paused_at IS NOT NULL)
           FROM public.email_settings s) AS paused,
    ( SELECT s.paused_reason
           FROM public.email_settings s) AS paused_reason,
    ( SELECT array_agg(t.code ORDER BY t.code) AS array_agg
           FROM public.email_types t
          WHERE (t.paused_at IS NOT NULL)) AS paused_types,
    ( SELECT (NOT (s.armed_for IS DISTINCT FROM public.email_identity()))
           FROM public.email_settings s) AS armed,
    ( SELECT count(*) AS count
           FROM public.email_trigger_errors e
          WHERE (e.replayed_at IS NULL)) AS open_trigger_errors
   FROM public.email_outbox o
  WHERE (o.status = ANY (ARRAY['queued'::text, 'sending'::text, 'failed'::text]));

COMMENT ON VIEW public.email_health IS 'One row: is it alive, and is anything wrong?';

COMMENT ON COLUMN public.email_health.lag_seconds IS 'How long the oldest due row has been waiting; alert above 60.';

COMMENT ON COLUMN public.email_health.due IS 'Rows that could go out now.';

COMMENT ON COLUMN public.email_health.in_flight IS 'Rows a sidecar holds.';

COMMENT ON COLUMN public.email_health.failed IS 'Rows that were given up within the retention; look at last_error.';

COMMENT ON COLUMN public.email_health.workers_alive IS 'Sidecars seen in the last 30 seconds; alert on 0.';

COMMENT ON COLUMN public.email_health.paused IS 'Whether everything is stopped.';

COMMENT ON COLUMN public.email_health.paused_reason IS 'Why; null when it is not, or no reason was given.';

COMMENT ON COLUMN public.email_health.paused_types IS 'Types that are paused on their own; null when none is.';

COMMENT ON COLUMN public.email_health.armed IS 'false: this looks like a restored copy, nothing is sent until email_arm() is called.';

COMMENT ON COLUMN public.email_health.open_trigger_errors IS 'Facts a trigger could not enqueue and that were not replayed yet.';

CREATE VIEW public.email_kpis AS
 SELECT k.kpi,
    k.value,
    k.numerator,
    k.denominator,
    k.measured
   FROM public.email_kpis_over('30 days'::interval) k(kpi, value, numerator, denominator, measured);

COMMENT ON VIEW public.email_kpis IS 'The specification''s seven KPIs over 30 days. A cohort counts once its window is over. It reads users, projects and the journal: for dashboards, not for every request.';

COMMENT ON COLUMN public.email_kpis.kpi IS 'The specification''s name for it; defined in docs/kpis.md.';

COMMENT ON COLUMN public.email_kpis.value IS 'numerator of measured in percent, two decimals; null when nothing could be measured.';

COMMENT ON COLUMN public.email_kpis.numerator IS 'How many reached the aim.';

COMMENT ON COLUMN public.email_kpis.denominator IS 'How many could have: sign-ups, projects, alerts, invoices, … whose window is over.';

COMMENT ON COLUMN public.email_kpis.measured IS 'How many of the denominator could be measured at all: for opens those who consented to tracking, otherwise all; 0 when a source is missing.';

CREATE TABLE public.email_marketing_slots (
    recipient text NOT NULL,
    category text NOT NULL,
    last_at timestamp with time zone NOT NULL,
    outbox_id bigint NOT NULL,
    CONSTRAINT email_marketing_slots_category_known CHECK ((category = ANY (ARRAY['marketing'::text, 'product'::text])))
)
WITH (fillfactor='80');

COMMENT ON TABLE public.email_marketing_slots IS 'Who holds a recipient''s slot of a category: at most one capped email of it per email_settings.marketing_cooldown.';

COMMENT ON COLUMN public.email_marketing_slots.recipient IS 'The user id, or the lower-case address of someone without an account.';

COMMENT ON COLUMN public.email_marketing_slots.category IS 'marketing or product: mail of the one never delays mail of the other.';

COMMENT ON COLUMN public.email_marketing_slots.last_at IS 'When the slot was taken, or the letter sent, by email_now().';

COMMENT ON COLUMN public.email_marketing_slots.outbox_id IS 'The email_outbox row that holds it.';

CREATE VIEW public.email_metrics AS
 SELECT m.name,
    m.email_type,
    m.status,
    m.reason_class,
    m.value
   FROM public.email_metrics_now() m(name, email_type, status, reason_class, value);

COMMENT ON VIEW public.email_metrics IS 'Figures for monitoring, one a row: the same whoever asks, so take the maximum over sidecars and not the sum.';

COMMENT ON COLUMN public.email_metrics.name IS 'lag_seconds, due, in_flight, failed, workers_alive, open_trigger_errors as in email_health; paused_types how many; retries_waiting: rows whose backoff runs; unresolved: claimed more than two minutes ago and still not settled; schedules_late: not run well for three of their intervals; ended_last_hour as in email_recent.';

COMMENT ON COLUMN public.email_metrics.email_type IS 'A code of email_types; null unless the figure is ended_last_hour.';

COMMENT ON COLUMN public.email_metrics.status IS 'sent, failed or suppressed; null unless the figure is ended_last_hour.';

COMMENT ON COLUMN public.email_metrics.reason_class IS 'As in email_recent; null unless the figure is ended_last_hour.';

COMMENT ON COLUMN public.email_metrics.value IS 'The figure.';

ALTER TABLE public.email_outbox ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.email_outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW public.email_outbox_masked AS
 SELECT o.id,
    o.email_type,
    o.status,
    o.user_id,
    o.project_id,
    public.email_mask(o.to_email) AS to_email,
    public.email_mask(o.dedupe_key) AS dedupe_key,
    o.run_at,
    o.due_at,
    o.retry_at,
    o.rank,
    public.email_mask(o.reason) AS reason,
    o.attempts,
    o.claims,
    public.email_mask(o.last_error) AS last_error,
    o.locked_by,
    o.locked_until,
    o.batch_id,
    o.batch_position,
    ( SELECT array_agg(k.k ORDER BY k.k) AS array_agg
           FROM jsonb_object_keys(o.payload) k(k)) AS payload_keys,
    o.created_at,
    o.finished_at
   FROM public.email_outbox o;

COMMENT ON VIEW public.email_outbox_masked IS 'email_outbox with addresses masked and the payload''s keys without their values: for email_reader.';

COMMENT ON COLUMN public.email_outbox_masked.id IS 'As in email_outbox; email_explain(id) tells the rest.';

COMMENT ON COLUMN public.email_outbox_masked.email_type IS 'As in email_outbox.';

COMMENT ON COLUMN public.email_outbox_masked.status IS 'As in email_outbox.';

COMMENT ON COLUMN public.email_outbox_masked.user_id IS 'As in email_outbox.';

COMMENT ON COLUMN public.email_outbox_masked.project_id IS 'As in email_outbox.';

COMMENT ON COLUMN public.email_outbox_masked.to_email IS 'First character and domain; null means the user''s address at the moment of sending.';

COMMENT ON COLUMN public.email_outbox_masked.dedupe_key IS 'The key, an address in it masked.';

COMMENT ON COLUMN public.email_outbox_masked.run_at IS 'As in email_outbox.';

COMMENT ON COLUMN public.email_outbox_masked.due_at IS 'As in email_outbox.';

COMMENT ON COLUMN public.email_outbox_masked.retry_at IS 'As in email_outbox; null means no retry is pending.';

COMMENT ON COLUMN public.email_outbox_masked.rank IS 'As in email_outbox.';

COMMENT ON COLUMN public.email_outbox_masked.reason IS 'As in email_outbox, addresses masked; null means no reason is needed.';

COMMENT ON COLUMN public.email_outbox_masked.attempts IS 'As in email_outbox.';

COMMENT ON COLUMN public.email_outbox_masked.claims IS 'As in email_outbox.';

COMMENT ON COLUMN public.email_outbox_masked.last_error IS 'As in email_outbox, addresses masked; null means none.';

COMMENT ON COLUMN public.email_outbox_masked.locked_by IS 'As in email_outbox; null unless sending.';

COMMENT ON COLUMN public.email_outbox_masked.locked_until IS 'As in email_outbox; null unless sending.';

COMMENT ON COLUMN public.email_outbox_masked.batch_id IS 'As in email_outbox.';

COMMENT ON COLUMN public.email_outbox_masked.batch_position IS 'As in email_outbox.';

COMMENT ON COLUMN public.email_outbox_masked.payload_keys IS 'Which keys the payload has, without their values; null means none.';

COMMENT ON COLUMN public.email_outbox_masked.created_at IS 'As in email_outbox.';

COMMENT ON COLUMN public.email_outbox_masked.finished_at IS 'As in email_outbox; null while it is queued or sending.';

CREATE VIEW public.email_outbox_summary AS
 SELECT t.code AS email_type,
    o.status,
    count(*) AS emails,
    min(o.run_at) FILTER (WHERE (o.status = 'queued'::text)) AS oldest_due,
    max(o.finished_at) AS last_finished
   FROM (public.email_types t
     JOIN public.email_outbox o ON ((o.email_type = t.code)))
  GROUP BY t.code, o.status
  ORDER BY t.code, o.status;

COMMENT ON VIEW public.email_outbox_summary IS 'The outbox by type and status.';

COMMENT ON COLUMN public.email_outbox_summary.email_type IS 'A code of email_types.';

COMMENT ON COLUMN public.email_outbox_summary.status IS 'As in email_outbox.';

COMMENT ON COLUMN public.email_outbox_summary.emails IS 'How many rows.';

COMMENT ON COLUMN public.email_outbox_summary.oldest_due IS 'The earliest run_at among the queued ones; null for other statuses. In the past: work is waiting.';

COMMENT ON COLUMN public.email_outbox_summary.last_finished IS 'When the latest of them ended; null while none did.';

CREATE TABLE public.email_preferences (
    user_id uuid NOT NULL,
    marketing_opt_in boolean DEFAULT true NOT NULL,
    product_updates_opt_in boolean DEFAULT true NOT NULL,
    security_opt_in boolean DEFAULT true NOT NULL,
    tracking_consent boolean DEFAULT false NOT NULL,
    timezone text DEFAULT 'Europe/Paris'::text NOT NULL,
    unsubscribe_token uuid DEFAULT gen_random_uuid() NOT NULL,
    updated_at timestamp with time zone DEFAULT public.email_now() NOT NULL,
    CONSTRAINT email_preferences_security_always CHECK (security_opt_in),
    CONSTRAINT email_preferences_timezone_given CHECK ((timezone <> ''::text))
);

COMMENT ON TABLE public.email_preferences IS 'What a user allows. No row means the defaults.';

COMMENT ON COLUMN public.email_preferences.user_id IS 'users.id; no foreign key, so that the application can delete users as if we were not there.';

COMMENT ON COLUMN public.email_preferences.marketing_opt_in IS 'Whether marketing emails may be sent.';

COMMENT ON COLUMN public.email_preferences.product_updates_opt_in IS 'Whether product emails may be sent.';

COMMENT ON COLUMN public.email_preferences.security_opt_in IS 'Always true: security mail cannot be refused.';

COMMENT ON COLUMN public.email_preferences.tracking_consent IS 'Opens and clicks are tracked for this user only when true.';

COMMENT ON COLUMN public.email_preferences.timezone IS 'IANA name; local-time mail and the times inside letters follow it.';

COMMENT ON COLUMN public.email_preferences.unsubscribe_token IS 'What the unsubscribe and preferences links carry.';

COMMENT ON COLUMN public.email_preferences.updated_at IS 'When the row was last changed.';

CREATE TABLE public.email_project_contacts (
    project_id uuid NOT NULL,
    email text NOT NULL,
    role text NOT NULL,
    user_id uuid,
    unsubscribe_token uuid DEFAULT gen_random_uuid() NOT NULL,
    created_at timestamp with time zone DEFAULT public.email_now() NOT NULL,
    CONSTRAINT email_project_contacts_email_form CHECK ((email ~ '^[^@[:space:]]+@[^@[:space:]]+$'::text)),
    CONSTRAINT email_project_contacts_role_known CHECK ((role = ANY (ARRAY['admin'::text, 'on_call'::text])))
);

COMMENT ON TABLE public.email_project_contacts IS 'Who else hears about a project: admins its first verdict, on-call people its critical ones.';

COMMENT ON COLUMN public.email_project_contacts.project_id IS 'projects.id; no foreign key, so that the application can delete projects as if we were not there.';

COMMENT ON COLUMN public.email_project_contacts.email IS 'Where the copy goes.';

COMMENT ON COLUMN public.email_project_contacts.role IS 'admin or on_call.';

COMMENT ON COLUMN public.email_project_contacts.user_id IS 'The contact''s own account; null means none, then the copy carries the project owner''s user_id.';

COMMENT ON COLUMN public.email_project_contacts.unsubscribe_token IS 'What the links of this contact''s copies carry.';

COMMENT ON COLUMN public.email_project_contacts.created_at IS 'Since when.';

CREATE TABLE public.email_rates (
    provider text NOT NULL,
    ceiling double precision NOT NULL,
    per_second double precision NOT NULL,
    provider_limit double precision,
    next_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    adjusted_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    limited bigint DEFAULT 0 NOT NULL,
    limited_at timestamp with time zone,
    CONSTRAINT email_rates_positive CHECK (((ceiling > (0)::double precision) AND (per_second > (0)::double precision) AND (provider_limit > (0)::double precision)))
)
WITH (fillfactor='50');

COMMENT ON TABLE public.email_rates IS 'The rate budget of the whole fleet, one row per provider: sidecars take their turn here before every request.';

COMMENT ON COLUMN public.email_rates.provider IS 'As in EMAIL_PROVIDER.';

COMMENT ON COLUMN public.email_rates.ceiling IS 'EMAIL_RATE_PER_SECOND of the sidecar that asked last.';

COMMENT ON COLUMN public.email_rates.per_second IS 'Requests a second at the moment: lowered when the provider says "too many", and recovering to the ceiling within a minute.';

COMMENT ON COLUMN public.email_rates.provider_limit IS 'What the provider''s own header says it allows; null until it said so.';

COMMENT ON COLUMN public.email_rates.next_at IS 'When the next request may leave, by the real clock.';

COMMENT ON COLUMN public.email_rates.adjusted_at IS 'When per_second was last adjusted.';

COMMENT ON COLUMN public.email_rates.limited IS 'How often the provider said "too many requests" (429).';

COMMENT ON COLUMN public.email_rates.limited_at IS 'When it last did; null means never.';

CREATE VIEW public.email_recent AS
 SELECT r.email_type,
    r.status,
    r.reason_class,
    count(*) AS letters,
    max(r.finished_at) AS last_finished
   FROM ( SELECT o.email_type,
            o.status,
            public.email_reason_class(o.status, o.reason) AS reason_class,
            o.finished_at
           FROM public.email_outbox o
          WHERE (o.finished_at > (public.email_now() - '01:00:00'::interval))) r
  GROUP BY r.email_type, r.status, r.reason_class
  ORDER BY r.email_type, r.status, r.reason_class;

COMMENT ON VIEW public.email_recent IS 'What ended in the last hour, by type, status and kind of reason.';

COMMENT ON COLUMN public.email_recent.email_type IS 'A code of email_types.';

COMMENT ON COLUMN public.email_recent.status IS 'sent, failed or suppressed.';

COMMENT ON COLUMN public.email_recent.reason_class IS 'As email_reason_class says; empty for what was sent.';

COMMENT ON COLUMN public.email_recent.letters IS 'How many.';

COMMENT ON COLUMN public.email_recent.last_finished IS 'When the latest of them ended.';

CREATE VIEW public.email_requests AS
 SELECT r.id,
    r.kind,
    r.requested_at,
    r.user_id,
    r.name,
    r.email,
    r.project_id,
    r.project_name,
    r.letter
   FROM public.email_requests_now() r(id, kind, requested_at, user_id, name, email, project_id, project_name, letter);

COMMENT ON VIEW public.email_requests IS 'What people asked support for on a page of ours, newest first. A request stays until its signal goes; support answers by mail.';

COMMENT ON COLUMN public.email_requests.id IS 'Of the signal.';

COMMENT ON COLUMN public.email_requests.kind IS 'What was asked: integration_check_requested.';

COMMENT ON COLUMN public.email_requests.requested_at IS 'When.';

COMMENT ON COLUMN public.email_requests.user_id IS 'Who.';

COMMENT ON COLUMN public.email_requests.name IS 'Their name now; null when the account is gone.';

COMMENT ON COLUMN public.email_requests.email IS 'Where to answer: their address now; null when the account is gone.';

COMMENT ON COLUMN public.email_requests.project_id IS 'The project the letter was about; null when it was about none or several.';

COMMENT ON COLUMN public.email_requests.project_name IS 'Its name now, or as the letter had it; null when neither is known.';

COMMENT ON COLUMN public.email_requests.letter IS 'The letter they answered (email_deliveries.id); null when it is gone.';

CREATE TABLE public.email_schedules (
    name text NOT NULL,
    runs text NOT NULL,
    code text,
    every interval NOT NULL,
    cron text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    cron_job_id bigint,
    last_started_at timestamp with time zone,
    last_success_at timestamp with time zone,
    last_duration interval,
    last_rows integer,
    last_error text,
    last_run_by text,
    CONSTRAINT email_schedules_cron_form CHECK ((cron ~ '^\S+( \S+){4}$'::text)),
    CONSTRAINT email_schedules_every_positive CHECK ((every >= '00:01:00'::interval)),
    CONSTRAINT email_schedules_runs_ours CHECK ((runs ~ '^email_[a-z0-9_]+$'::text))
)
WITH (fillfactor='50');

COMMENT ON TABLE public.email_schedules IS 'What runs by the clock: by pg_cron where it is installed, otherwise (or when its jobs fail) by whichever sidecar comes first. After editing a row: select email_schedule_sync().';

COMMENT ON COLUMN public.email_schedules.name IS 'What it is, for people; the pg_cron job is called "seqpulse-mailer: " and this.';

COMMENT ON COLUMN public.email_schedules.runs IS 'The function that is called: public.<runs>(code), or public.<runs>() when code is null. It answers how many rows it dealt with.';

COMMENT ON COLUMN public.email_schedules.code IS 'The kind of email it scans for; null means that it is not a scan.';

COMMENT ON COLUMN public.email_schedules.every IS 'How often it is meant to run. A sidecar runs it when its last success is older than this (without a pg_cron job) or than twice this (with one).';

COMMENT ON COLUMN public.email_schedules.cron IS 'The same for pg_cron, in UTC (pg_cron''s default): minute hour day month weekday.';

COMMENT ON COLUMN public.email_schedules.enabled IS 'false: neither pg_cron nor a sidecar runs it.';

COMMENT ON COLUMN public.email_schedules.cron_job_id IS 'cron.job.jobid, filled by email_schedule_sync(); null means that the sidecars run it.';

COMMENT ON COLUMN public.email_schedules.last_started_at IS 'When it was last started, by email_now(); null means never.';

COMMENT ON COLUMN public.email_schedules.last_success_at IS 'When it last ended well, by email_now(); null means never.';

COMMENT ON COLUMN public.email_schedules.last_duration IS 'How long the last run took, by the real clock; null means never.';

COMMENT ON COLUMN public.email_schedules.last_rows IS 'How many rows the last run that ended well dealt with: letters enqueued, errors replayed, rows removed. null means never.';

COMMENT ON COLUMN public.email_schedules.last_error IS 'SQLSTATE and message of the last run; null means that it ended well.';

COMMENT ON COLUMN public.email_schedules.last_run_by IS 'Who ran it last: pg_cron, a sidecar (email_workers.id) or a person''s role; null means it never ran.';

CREATE TABLE public.email_schema_history (
    version integer NOT NULL,
    name character varying(255),
    applied_on character varying(255),
    checksum character varying(255)
);

COMMENT ON TABLE public.email_schema_history IS 'The migrations (migrations/V*.sql) that were applied; written by migrate through refinery, and read by every sidecar at its start.';

COMMENT ON COLUMN public.email_schema_history.version IS 'The number in the file''s name.';

COMMENT ON COLUMN public.email_schema_history.name IS 'The words in the file''s name.';

COMMENT ON COLUMN public.email_schema_history.applied_on IS 'When it was applied: RFC 3339, as text.';

COMMENT ON COLUMN public.email_schema_history.checksum IS 'refinery''s hash of the file''s name and text: another one in the binary stops migrate.';

CREATE TABLE public.email_secrets (
    id boolean DEFAULT true NOT NULL,
    answers bytea DEFAULT (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) NOT NULL,
    CONSTRAINT email_secrets_answers_long CHECK ((octet_length(answers) >= 32)),
    CONSTRAINT email_secrets_one_row CHECK (id)
);

COMMENT ON TABLE public.email_secrets IS 'One row: what only this database knows. Nobody is granted it; functions use it.';

COMMENT ON COLUMN public.email_secrets.id IS 'Always true: there is one row.';

COMMENT ON COLUMN public.email_secrets.answers IS 'What the tokens of /answer/ are made with; another value ends every such link that is out.';

CREATE VIEW public.email_segments AS
 SELECT s.user_id,
    s.project_id,
    s.segment
   FROM public.email_segments_now() s(user_id, project_id, segment);

COMMENT ON VIEW public.email_segments IS 'The specification''s six segments as they are now, active meaning in the last 14 days (E-RET-03''s params.inactive). It reads the whole of users and projects: for campaigns and analyses, not for every request.';

COMMENT ON COLUMN public.email_segments.user_id IS 'The user, or the project''s owner.';

COMMENT ON COLUMN public.email_segments.project_id IS 'The project it is about; null when it is about the user.';

COMMENT ON COLUMN public.email_segments.segment IS 'new_user: signed up less than 14 days ago. free_active: active, and no project of theirs is paid for. free_near_limit: a free project at 80 % of its quota or more (E-CONV-01''s threshold). pro_active: a paid project with a deployment, a verdict viewed or its creation in the last 14 days. at_risk: 14 days without activity, or E-RET-02 is true. security_sensitive: two-factor authentication on, or an E-SEC letter in 90 days.';

ALTER TABLE public.email_signals ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.email_signals_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.email_sql_files (
    path text NOT NULL,
    checksum text NOT NULL,
    objects text[] DEFAULT '{}'::text[] NOT NULL,
    fingerprint text NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE public.email_sql_files IS 'The repeatable SQL files (sql/core, sql/triggers) as migrate applied them last.';

COMMENT ON COLUMN public.email_sql_files.path IS 'Inside the repository, such as sql/triggers/E-TRX-01_welcome.sql.';

COMMENT ON COLUMN public.email_sql_files.checksum IS 'SHA-256 (base64) of the file and of the names of our roles that exist: another one in the binary means it is applied again.';

COMMENT ON COLUMN public.email_sql_files.objects IS 'The functions, views and triggers it creates.';

COMMENT ON COLUMN public.email_sql_files.fingerprint IS 'MD5 of those objects'' definitions right after it was applied (email_fingerprint): another one now means that they were changed by hand.';

COMMENT ON COLUMN public.email_sql_files.applied_at IS 'When.';

CREATE TABLE public.email_subject_variants (
    email_type text NOT NULL,
    variant text NOT NULL,
    subject text NOT NULL,
    weight integer DEFAULT 1 NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    CONSTRAINT email_subject_variants_subject_one_line CHECK (((subject <> ''::text) AND (subject !~ '[[:cntrl:]]'::text))),
    CONSTRAINT email_subject_variants_weight_positive CHECK ((weight > 0))
);

COMMENT ON TABLE public.email_subject_variants IS 'A/B subjects: one is chosen per user by a stable hash, in proportion to the weights.';

COMMENT ON COLUMN public.email_subject_variants.email_type IS 'A code of email_types.';

COMMENT ON COLUMN public.email_subject_variants.variant IS 'Its name in the results, such as A.';

COMMENT ON COLUMN public.email_subject_variants.subject IS 'The subject line; {key} is replaced from the letter''s context.';

COMMENT ON COLUMN public.email_subject_variants.weight IS 'Its share among the enabled variants of the type.';

COMMENT ON COLUMN public.email_subject_variants.enabled IS 'Whether it is being used.';

CREATE TABLE public.email_suppressions (
    email text NOT NULL,
    reason text NOT NULL,
    source text,
    created_at timestamp with time zone DEFAULT public.email_now() NOT NULL,
    CONSTRAINT email_suppressions_reason_known CHECK ((reason = ANY (ARRAY['bounced'::text, 'complained'::text, 'manual'::text, 'unsubscribed'::text])))
);

COMMENT ON TABLE public.email_suppressions IS 'Addresses never to write to. bounced and manual stop everything but security; complained and unsubscribed stop product and marketing.';

COMMENT ON COLUMN public.email_suppressions.email IS 'The address; upper and lower case are the same.';

COMMENT ON COLUMN public.email_suppressions.reason IS 'bounced, complained, manual or unsubscribed.';

COMMENT ON COLUMN public.email_suppressions.source IS 'Who said so, such as the provider or a person; null means unknown.';

COMMENT ON COLUMN public.email_suppressions.created_at IS 'Since when.';

ALTER TABLE public.email_trigger_errors ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.email_trigger_errors_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW public.email_type_kpis AS
 SELECT k.code,
    k.kpi,
    k.unit,
    k.value,
    k.numerator,
    k.denominator,
    k.measured,
    k.holdout_value,
    k.holdout_numerator,
    k.holdout_denominator,
    k.lift,
    k.lift_low,
    k.lift_high
   FROM public.email_type_kpis_over('30 days'::interval) k(code, kpi, unit, value, numerator, denominator, measured, holdout_value, holdout_numerator, holdout_denominator, lift, lift_low, lift_high);

COMMENT ON VIEW public.email_type_kpis IS 'Each email''s own KPI (docs/rules.md#letters) over 30 days, for those who got it and, where email_types.holdout_percent keeps some from it, for the holdout. A code that has two KPIs has two rows.';

COMMENT ON COLUMN public.email_type_kpis.code IS 'A code of email_types.';

COMMENT ON COLUMN public.email_type_kpis.kpi IS 'Its name; defined in docs/kpis.md.';

COMMENT ON COLUMN public.email_type_kpis.unit IS 'percent; minutes (a median); score (NPS, -100 to 100).';

COMMENT ON COLUMN public.email_type_kpis.value IS 'In that unit, two decimals; null when nothing could be measured, and for times when no case got there.';

COMMENT ON COLUMN public.email_type_kpis.numerator IS 'How many reached the aim; for the NPS promoters minus detractors.';

COMMENT ON COLUMN public.email_type_kpis.denominator IS 'How many could have, those whose window is over.';

COMMENT ON COLUMN public.email_type_kpis.measured IS 'How many of the denominator could be measured at all: for opens and clicks those who consented to tracking; 0 when there is no source.';

COMMENT ON COLUMN public.email_type_kpis.holdout_value IS 'The same among those the holdout kept from getting it; null without a holdout.';

COMMENT ON COLUMN public.email_type_kpis.holdout_numerator IS 'How many of them reached the aim all the same; null without a holdout.';

COMMENT ON COLUMN public.email_type_kpis.holdout_denominator IS 'How many they are; null without a holdout.';

COMMENT ON COLUMN public.email_type_kpis.lift IS 'value minus holdout_value, in percentage points: what the letter changed; null without a holdout.';

COMMENT ON COLUMN public.email_type_kpis.lift_low IS 'Lower end of lift''s 95 % confidence interval. Below 0 with lift_high above 0: nothing is proven.';

COMMENT ON COLUMN public.email_type_kpis.lift_high IS 'Upper end of it.';

CREATE VIEW public.email_unknown_engine_texts AS
 SELECT t.source,
    t.letters,
    t.last_seen_at
   FROM public.email_texts_left_out() t(source, letters, last_seen_at);

COMMENT ON VIEW public.email_unknown_engine_texts IS 'Texts of the application''s engine that letters of the last 30 days left out because email_engine_texts has no French for them. Empty is right; doctor names them.';

COMMENT ON COLUMN public.email_unknown_engine_texts.source IS 'The text, as the engine wrote it.';

COMMENT ON COLUMN public.email_unknown_engine_texts.letters IS 'How many letters went without it.';

COMMENT ON COLUMN public.email_unknown_engine_texts.last_seen_at IS 'When the last of them was claimed.';

CREATE VIEW public.email_unknown_outcomes AS
 SELECT d.id,
    d.email_type,
    d.user_id,
    d.project_id,
    d.created_at,
    d.outbox_id,
        CASE
            WHEN (d.outbox_id IS NULL) THEN 'the application''s own sender began it and never settled it'::text
            WHEN ((d.status)::text = 'queued'::text) THEN 'claimed and never settled, and its outbox row is gone'::text
            ELSE 'the provider could not tell any more'::text
        END AS why
   FROM (public.email_deliveries d
     LEFT JOIN public.email_outbox o ON ((o.dedupe_key = (d.dedupe_key)::text)))
  WHERE ((((d.status)::text = 'queued'::text) AND (COALESCE(o.status, ''::text) <> ALL (ARRAY['queued'::text, 'sending'::text]))) OR (((d.status)::text = 'failed'::text) AND ((d.payload_json ->> 'reason'::text) = 'unknown outcome'::text)));

COMMENT ON VIEW public.email_unknown_outcomes IS 'Letters that may or may not have gone out. They are never sent blindly: look them up at the provider, then call email_resolve(id, was_sent).';

COMMENT ON COLUMN public.email_unknown_outcomes.id IS 'email_deliveries.id, which the provider shows as tag or metadata "delivery"; letters of the application''s own sender carry no such mark.';

COMMENT ON COLUMN public.email_unknown_outcomes.email_type IS 'As in email_deliveries.';

COMMENT ON COLUMN public.email_unknown_outcomes.user_id IS 'The recipient''s user.';

COMMENT ON COLUMN public.email_unknown_outcomes.project_id IS 'The project it is about; null when it is about none.';

COMMENT ON COLUMN public.email_unknown_outcomes.created_at IS 'When it was begun.';

COMMENT ON COLUMN public.email_unknown_outcomes.outbox_id IS 'The outbox row it came from; null for letters of the application''s own sender.';

COMMENT ON COLUMN public.email_unknown_outcomes.why IS 'How it came about.';

CREATE VIEW public.email_upcoming AS
 SELECT o.id,
    o.email_type,
    o.user_id,
    o.project_id,
    w.goes_out_at,
    w.waits_for,
    o.due_at,
    (o.due_at + t.expires_after) AS expires_at,
    o.rank,
    o.attempts
   FROM ((((public.email_outbox o
     JOIN public.email_types t ON ((t.code = o.email_type)))
     CROSS JOIN public.email_settings s)
     CROSS JOIN LATERAL ( SELECT (o.retry_at + (public.email_now() - now())) AS retry_at) r)
     CROSS JOIN LATERAL ( SELECT
                CASE
                    WHEN ((s.paused_at IS NOT NULL) OR (t.paused_at IS NOT NULL)) THEN NULL::timestamp with time zone
                    ELSE GREATEST(o.run_at, r.retry_at, public.email_now())
                END AS goes_out_at,
                CASE
                    WHEN (s.paused_at IS NOT NULL) THEN ('everything is paused'::text || COALESCE((': '::text || s.paused_reason), ''::text))
                    WHEN (t.paused_at IS NOT NULL) THEN ('type paused'::text || COALESCE((': '::text || t.paused_reason), ''::text))
                    WHEN (r.retry_at > public.email_now()) THEN format('another try, after %s of %s'::text, o.attempts, t.max_attempts)
                    WHEN ((o.run_at > public.email_now()) AND (o.reason IS NOT NULL)) THEN o.reason
                    WHEN (o.run_at > public.email_now()) THEN 'its time'::text
                    ELSE 'the next claim'::text
                END AS waits_for) w)
  WHERE (o.status = 'queued'::text);

COMMENT ON VIEW public.email_upcoming IS 'What is queued: when each letter goes out (every gate is asked again then), and what it waits for. select … order by goes_out_at.';

COMMENT ON COLUMN public.email_upcoming.id IS 'email_outbox.id; email_explain(id) tells the rest.';

COMMENT ON COLUMN public.email_upcoming.email_type IS 'A code of email_types.';

COMMENT ON COLUMN public.email_upcoming.user_id IS 'As in email_outbox.';

COMMENT ON COLUMN public.email_upcoming.project_id IS 'The project it is about; null when it is about none.';

COMMENT ON COLUMN public.email_upcoming.goes_out_at IS 'When it is claimed, by email_now(), should nothing be in the way then; null: not before what is paused is resumed.';

COMMENT ON COLUMN public.email_upcoming.waits_for IS 'Its time, the cap, another try, a pause, or only the next claim.';

COMMENT ON COLUMN public.email_upcoming.due_at IS 'When it was meant to go out first.';

COMMENT ON COLUMN public.email_upcoming.expires_at IS 'From then on it is suppressed instead.';

COMMENT ON COLUMN public.email_upcoming.rank IS 'Its priority: higher goes first.';

COMMENT ON COLUMN public.email_upcoming.attempts IS 'Requests that failed so far.';

CREATE VIEW public.email_wau AS
 SELECT w.week,
    w.starts,
    w.users,
    w.returned,
    w.value,
    w.complete
   FROM public.email_wau_over('84 days'::interval) w(week, starts, users, returned, value, complete);

COMMENT ON VIEW public.email_wau IS 'Weekly active users of the last 12 UTC weeks, and how many of the week before came back: what E-RET-01 aims at. It reads a period of every user''s activity: for dashboards, not for every request.';

COMMENT ON COLUMN public.email_wau.week IS 'ISO week, such as 2026-W09.';

COMMENT ON COLUMN public.email_wau.starts IS 'Its Monday.';

COMMENT ON COLUMN public.email_wau.users IS 'How many users were active in it, as email_activity() has it.';

COMMENT ON COLUMN public.email_wau.returned IS 'How many of them were active in the week before, too.';

COMMENT ON COLUMN public.email_wau.value IS 'returned of those of the week before, in percent, two decimals: the weekly return. null when there were none.';

COMMENT ON COLUMN public.email_wau.complete IS 'false for the running week.';

ALTER TABLE ONLY public.email_batches
    ADD CONSTRAINT email_batches_pkey PRIMARY KEY (batch_id);

ALTER TABLE ONLY public.email_deliveries
    ADD CONSTRAINT email_deliveries_pkey PRIMARY KEY (id);

ALTER TABLE public.email_deliveries
    ADD CONSTRAINT email_deliveries_status_known CHECK (((status)::text = ANY ((ARRAY['queued'::character varying, 'sent'::character varying, 'failed'::character varying, 'suppressed'::character varying])::text[]))) NOT VALID;

ALTER TABLE ONLY public.email_engine_texts
    ADD CONSTRAINT email_engine_texts_pkey PRIMARY KEY (source);

ALTER TABLE ONLY public.email_events
    ADD CONSTRAINT email_events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.email_events
    ADD CONSTRAINT email_events_provider_event_id_key UNIQUE (provider_event_id);

ALTER TABLE ONLY public.email_forgotten
    ADD CONSTRAINT email_forgotten_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.email_marketing_slots
    ADD CONSTRAINT email_marketing_slots_pkey PRIMARY KEY (recipient, category);

ALTER TABLE ONLY public.email_outbox
    ADD CONSTRAINT email_outbox_dedupe_key_key UNIQUE (dedupe_key);

ALTER TABLE ONLY public.email_outbox
    ADD CONSTRAINT email_outbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.email_preferences
    ADD CONSTRAINT email_preferences_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.email_preferences
    ADD CONSTRAINT email_preferences_unsubscribe_token_key UNIQUE (unsubscribe_token);

ALTER TABLE ONLY public.email_project_contacts
    ADD CONSTRAINT email_project_contacts_pkey PRIMARY KEY (project_id, email, role);

ALTER TABLE ONLY public.email_project_contacts
    ADD CONSTRAINT email_project_contacts_unsubscribe_token_key UNIQUE (unsubscribe_token);

ALTER TABLE ONLY public.email_rates
    ADD CONSTRAINT email_rates_pkey PRIMARY KEY (provider);

ALTER TABLE ONLY public.email_schedules
    ADD CONSTRAINT email_schedules_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.email_schema_history
    ADD CONSTRAINT email_schema_history_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.email_secrets
    ADD CONSTRAINT email_secrets_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.email_settings
    ADD CONSTRAINT email_settings_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.email_signals
    ADD CONSTRAINT email_signals_idempotency_key_key UNIQUE (idempotency_key);

ALTER TABLE ONLY public.email_signals
    ADD CONSTRAINT email_signals_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.email_sql_files
    ADD CONSTRAINT email_sql_files_pkey PRIMARY KEY (path);

ALTER TABLE ONLY public.email_subject_variants
    ADD CONSTRAINT email_subject_variants_pkey PRIMARY KEY (email_type, variant);

ALTER TABLE ONLY public.email_suppressions
    ADD CONSTRAINT email_suppressions_pkey PRIMARY KEY (email);

ALTER TABLE ONLY public.email_trigger_errors
    ADD CONSTRAINT email_trigger_errors_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.email_types
    ADD CONSTRAINT email_types_pkey PRIMARY KEY (code);

ALTER TABLE ONLY public.email_workers
    ADD CONSTRAINT email_workers_pkey PRIMARY KEY (id);

CREATE INDEX email_batches_open_idx ON public.email_batches USING btree (first_sent_at) WHERE (state <> 'settled'::text);

COMMENT ON INDEX public.email_batches_open_idx IS 'What is under way or unknown.';

CREATE INDEX email_batches_settled_idx ON public.email_batches USING btree (settled_at) WHERE (state = 'settled'::text);

COMMENT ON INDEX public.email_batches_settled_idx IS 'Retention.';

CREATE INDEX email_deliveries_kpi_idx ON public.email_deliveries USING btree (email_type, created_at);

COMMENT ON INDEX public.email_deliveries_kpi_idx IS 'The letters of one code in a period: KPI views.';

CREATE INDEX email_events_delivery_idx ON public.email_events USING btree (email_delivery_id, event_type);

CREATE INDEX email_outbox_address_idx ON public.email_outbox USING btree (lower(to_email)) WHERE (to_email IS NOT NULL);

COMMENT ON INDEX public.email_outbox_address_idx IS 'What waits for, or went to, an address: the cap of a recipient without an account.';

CREATE INDEX email_outbox_alerts_idx ON public.email_outbox USING btree (project_id, due_at) WHERE (email_type = 'E-ACT-05'::text);

COMMENT ON INDEX public.email_outbox_alerts_idx IS 'The alerts of a project: which warnings go together in one letter.';

CREATE INDEX email_outbox_due_idx ON public.email_outbox USING btree (rank DESC, run_at, id) WHERE ((status = 'queued'::text) AND (retry_at IS NULL));

COMMENT ON INDEX public.email_outbox_due_idx IS 'The claim, and the sidecar''s question when the next row falls due.';

CREATE INDEX email_outbox_dunning_idx ON public.email_outbox USING btree (project_id) WHERE ((status = 'queued'::text) AND (email_type = 'E-BILL-01'::text));

COMMENT ON INDEX public.email_outbox_dunning_idx IS 'Which reminders a payment makes needless.';

CREATE INDEX email_outbox_finished_idx ON public.email_outbox USING btree (finished_at) WHERE (finished_at IS NOT NULL);

COMMENT ON INDEX public.email_outbox_finished_idx IS 'Retention.';

CREATE INDEX email_outbox_lease_idx ON public.email_outbox USING btree (locked_until) WHERE (status = 'sending'::text);

COMMENT ON INDEX public.email_outbox_lease_idx IS 'Batches whose sidecar is gone.';

CREATE INDEX email_outbox_retry_idx ON public.email_outbox USING btree (retry_at) WHERE ((status = 'queued'::text) AND (retry_at IS NOT NULL));

COMMENT ON INDEX public.email_outbox_retry_idx IS 'Rows whose backoff is over.';

CREATE INDEX email_outbox_slot_idx ON public.email_outbox USING btree (slot) WHERE ((status = 'queued'::text) AND (slot IS NOT NULL));

COMMENT ON INDEX public.email_outbox_slot_idx IS 'Who waits for a slot that is given back.';

CREATE INDEX email_outbox_user_idx ON public.email_outbox USING btree (user_id);

COMMENT ON INDEX public.email_outbox_user_idx IS 'What waits for, or went to, a user.';

CREATE UNIQUE INDEX email_schedules_code_idx ON public.email_schedules USING btree (code);

CREATE INDEX email_signals_age_idx ON public.email_signals USING brin (occurred_at) WITH (pages_per_range='32', autosummarize='on');

COMMENT ON INDEX public.email_signals_age_idx IS 'Retention.';

CREATE INDEX email_signals_city_idx ON public.email_signals USING btree (user_id, "left"(lower(btrim((payload ->> 'city'::text))), 64), occurred_at) WHERE ((kind = 'login'::text) AND (payload ? 'city'::text));

COMMENT ON INDEX public.email_signals_city_idx IS 'When a user logged in from a city: E-SEC-02. Empty where no login tells any.';

CREATE INDEX email_signals_counted_idx ON public.email_signals USING btree (kind, occurred_at) WHERE (kind = ANY (ARRAY['nps_answered'::text, 'payment_failed'::text, 'login_confirmed'::text, 'login_disowned'::text, 'integration_check_requested'::text]));

COMMENT ON INDEX public.email_signals_counted_idx IS 'Answers and failed payments of a period: KPI views, email_requests.';

CREATE INDEX email_signals_country_idx ON public.email_signals USING btree (user_id, "left"(lower(btrim((payload ->> 'country'::text))), 64), occurred_at) WHERE (kind = 'login'::text);

COMMENT ON INDEX public.email_signals_country_idx IS 'When a user logged in from a country: E-SEC-02.';

CREATE INDEX email_signals_device_idx ON public.email_signals USING btree (user_id, lower(device), occurred_at) WHERE (kind = 'login'::text);

COMMENT ON INDEX public.email_signals_device_idx IS 'When a user logged in with a browser and system: E-SEC-01, E-SEC-02.';

CREATE INDEX email_signals_invitation_idx ON public.email_signals USING btree (((payload ->> 'invitation_id'::text))) WHERE (kind = ANY (ARRAY['invitation_accepted'::text, 'invitation_revoked'::text]));

COMMENT ON INDEX public.email_signals_invitation_idx IS 'Was this invitation accepted or revoked?';

CREATE INDEX email_signals_invitee_idx ON public.email_signals USING btree ("left"(lower(btrim((payload ->> 'invitee_email'::text))), 255)) WHERE (kind = 'invitation_created'::text);

COMMENT ON INDEX public.email_signals_invitee_idx IS 'Was this address invited?';

CREATE INDEX email_signals_paid_idx ON public.email_signals USING btree (((payload ->> 'invoice_id'::text))) WHERE (kind = 'payment_succeeded'::text);

COMMENT ON INDEX public.email_signals_paid_idx IS 'Was this invoice paid?';

CREATE INDEX email_signals_project_idx ON public.email_signals USING btree (project_id, kind, occurred_at);

CREATE INDEX email_signals_user_idx ON public.email_signals USING btree (user_id, kind, occurred_at);

CREATE INDEX email_signals_viewed_idx ON public.email_signals USING btree (((payload ->> 'deployment_id'::text)), occurred_at) WHERE (kind = 'verdict_viewed'::text);

COMMENT ON INDEX public.email_signals_viewed_idx IS 'When a verdict was first looked at.';

CREATE UNIQUE INDEX email_suppressions_address_idx ON public.email_suppressions USING btree (lower(email));

CREATE UNIQUE INDEX email_trigger_errors_once_idx ON public.email_trigger_errors USING btree (source, COALESCE(email_type, ''::text), md5(COALESCE((row_data)::text, error))) WHERE (replayed_at IS NULL);

COMMENT ON INDEX public.email_trigger_errors_once_idx IS 'One open note per missed fact.';

CREATE INDEX email_trigger_errors_open_idx ON public.email_trigger_errors USING btree (occurred_at) WHERE (replayed_at IS NULL);

CREATE INDEX ix_email_deliveries_created_at ON public.email_deliveries USING btree (created_at);

CREATE INDEX ix_email_deliveries_user_id ON public.email_deliveries USING btree (user_id);

CREATE UNIQUE INDEX uq_email_deliveries_dedupe_key ON public.email_deliveries USING btree (dedupe_key);

CREATE TRIGGER email_act_01_insert AFTER INSERT ON public.users REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.email_act_01_trigger();

CREATE TRIGGER email_act_02_insert AFTER INSERT ON public.projects REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.email_act_02_trigger();

CREATE TRIGGER email_act_03_insert AFTER INSERT ON public.deployments REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.email_act_03_trigger();

CREATE TRIGGER email_act_03_update AFTER UPDATE ON public.deployments REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.email_act_03_trigger();

CREATE TRIGGER email_act_04_insert AFTER INSERT ON public.deployment_verdicts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.email_act_04_trigger();

CREATE TRIGGER email_act_05_insert AFTER INSERT ON public.deployment_verdicts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.email_act_05_trigger();

CREATE TRIGGER email_act_05_update AFTER UPDATE ON public.deployment_verdicts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.email_act_05_trigger();

CREATE TRIGGER email_adv_02_signal AFTER INSERT ON public.email_signals FOR EACH ROW WHEN ((new.kind = 'nps_answered'::text)) EXECUTE FUNCTION public.email_signal_trigger('E-ADV-02');

CREATE TRIGGER email_batches_forget AFTER UPDATE OF state ON public.email_batches FOR EACH ROW WHEN ((new.forget AND (new.state = 'settled'::text) AND (old.state <> 'settled'::text))) EXECUTE FUNCTION public.email_batches_forget();

CREATE TRIGGER email_bill_01_signal AFTER INSERT ON public.email_signals FOR EACH ROW WHEN ((new.kind = ANY (ARRAY['payment_failed'::text, 'payment_succeeded'::text]))) EXECUTE FUNCTION public.email_signal_trigger('E-BILL-01');

CREATE TRIGGER email_bill_02_signal AFTER INSERT ON public.email_signals FOR EACH ROW WHEN ((new.kind = 'payment_succeeded'::text)) EXECUTE FUNCTION public.email_signal_trigger('E-BILL-02');

CREATE TRIGGER email_conv_03_signal AFTER INSERT ON public.email_signals FOR EACH ROW WHEN ((new.kind = 'quota_refused'::text)) EXECUTE FUNCTION public.email_signal_trigger('E-CONV-03');

CREATE TRIGGER email_conv_04_signal AFTER INSERT ON public.email_signals FOR EACH ROW WHEN ((new.kind = 'pro_feature_attempted'::text)) EXECUTE FUNCTION public.email_signal_trigger('E-CONV-04');

CREATE TRIGGER email_handover BEFORE INSERT ON public.scheduled_jobs FOR EACH ROW EXECUTE FUNCTION public.email_handover_trigger();

CREATE TRIGGER email_outbox_admit BEFORE INSERT ON public.email_outbox FOR EACH ROW WHEN (((new.rank IS NULL) OR (pg_trigger_depth() = 0))) EXECUTE FUNCTION public.email_outbox_admit();

CREATE TRIGGER email_outbox_rank BEFORE UPDATE OF priority, email_type ON public.email_outbox FOR EACH ROW WHEN (((old.priority IS DISTINCT FROM new.priority) OR (old.email_type <> new.email_type))) EXECUTE FUNCTION public.email_outbox_rank();

CREATE TRIGGER email_outbox_settled AFTER UPDATE OF status ON public.email_outbox FOR EACH ROW WHEN (((old.status = 'sending'::text) AND (new.status <> 'sending'::text) AND (new.end_as IS NOT NULL))) EXECUTE FUNCTION public.email_outbox_settled();

CREATE TRIGGER email_outbox_wake AFTER INSERT ON public.email_outbox REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION public.email_outbox_wake();

CREATE TRIGGER email_plan_changes AFTER UPDATE ON public.projects REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.email_plan_changes_trigger();

CREATE TRIGGER email_sec_01_update AFTER UPDATE ON public.users REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.email_sec_01_trigger();

CREATE TRIGGER email_sec_02_signal AFTER INSERT ON public.email_signals FOR EACH ROW WHEN ((new.kind = ANY (ARRAY['login'::text, 'suspicious_login'::text]))) EXECUTE FUNCTION public.email_signal_trigger('E-SEC-02');

CREATE TRIGGER email_settings_applied AFTER UPDATE ON public.email_settings FOR EACH ROW WHEN ((old.* IS DISTINCT FROM new.*)) EXECUTE FUNCTION public.email_settings_applied();

CREATE TRIGGER email_settings_edited BEFORE UPDATE ON public.email_settings FOR EACH ROW EXECUTE FUNCTION public.email_settings_edited();

CREATE TRIGGER email_signals_fill BEFORE INSERT ON public.email_signals FOR EACH ROW EXECUTE FUNCTION public.email_signals_fill();

CREATE TRIGGER email_subject_variants_check BEFORE INSERT OR UPDATE ON public.email_subject_variants FOR EACH ROW EXECUTE FUNCTION public.email_subject_variants_check();

CREATE TRIGGER email_told_people AFTER INSERT ON public.email_signals FOR EACH ROW WHEN ((new.kind = ANY (ARRAY['user_time_zone'::text, 'project_contact'::text]))) EXECUTE FUNCTION public.email_told_people_trigger();

CREATE TRIGGER email_trx_01_insert AFTER INSERT ON public.users REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.email_trx_01_trigger();

CREATE TRIGGER email_trx_01_update AFTER UPDATE ON public.users REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.email_trx_01_trigger();

CREATE TRIGGER email_trx_02_address BEFORE INSERT ON public.email_outbox FOR EACH ROW WHEN (((new.email_type = 'E-TRX-02'::text) AND (new.to_email IS NULL))) EXECUTE FUNCTION public.email_trx_02_address();

CREATE TRIGGER email_trx_02_signal AFTER INSERT ON public.email_signals FOR EACH ROW WHEN ((new.kind = ANY (ARRAY['invitation_created'::text, 'invitation_accepted'::text, 'invitation_revoked'::text]))) EXECUTE FUNCTION public.email_signal_trigger('E-TRX-02');

CREATE TRIGGER email_types_applied AFTER UPDATE ON public.email_types FOR EACH ROW WHEN ((old.* IS DISTINCT FROM new.*)) EXECUTE FUNCTION public.email_types_applied();

CREATE TRIGGER email_types_cta_check BEFORE INSERT OR UPDATE OF params ON public.email_types FOR EACH ROW EXECUTE FUNCTION public.email_types_cta_check();

CREATE TRIGGER email_types_edited BEFORE UPDATE ON public.email_types FOR EACH ROW EXECUTE FUNCTION public.email_types_edited();

ALTER TABLE ONLY public.email_schedules
    ADD CONSTRAINT email_schedules_code_fkey FOREIGN KEY (code) REFERENCES public.email_types(code);

ALTER TABLE ONLY public.email_subject_variants
    ADD CONSTRAINT email_subject_variants_email_type_fkey FOREIGN KEY (email_type) REFERENCES public.email_types(code);

GRANT USAGE ON SCHEMA public TO email_worker;
GRANT USAGE ON SCHEMA public TO email_reader;
GRANT USAGE ON SCHEMA public TO email_admin;
GRANT USAGE ON SCHEMA public TO email_app;

REVOKE ALL ON FUNCTION public.email_ab_results_over(over interval) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_ab_results_over(over interval) TO email_reader;
GRANT ALL ON FUNCTION public.email_ab_results_over(over interval) TO email_admin;

REVOKE ALL ON FUNCTION public.email_act_01_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_act_01_current(ids bigint[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_act_01_enqueue(facts jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_01_facts(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_01_rows(id uuid, created_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_01_trigger() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_02_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_act_02_current(ids bigint[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_act_02_enqueue(facts jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_02_facts(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_02_rows(id uuid, owner uuid, created_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_02_trigger() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_03_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_act_03_current(ids bigint[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_act_03_enqueue(facts jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_03_facts(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_03_finished(project uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_act_03_finished(project uuid) TO email_worker;

REVOKE ALL ON FUNCTION public.email_act_03_rows(deployment uuid, project uuid, started_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_03_trigger() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_04_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_act_04_current(ids bigint[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_act_04_earlier(deployment uuid, verdict_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_04_enqueue(facts jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_04_facts(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_04_rows(deployment uuid, verdict_at timestamp with time zone, at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_04_trigger() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_05_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_act_05_current(ids bigint[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_act_05_enqueue(facts jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_05_facts(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_05_rows(deployment uuid, verdict text, created_at timestamp with time zone, at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_act_05_trigger() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_activity(of_user uuid, since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_activity(of_user uuid, since timestamp with time zone, until timestamp with time zone) TO email_worker;
GRANT ALL ON FUNCTION public.email_activity(of_user uuid, since timestamp with time zone, until timestamp with time zone) TO email_admin;

REVOKE ALL ON FUNCTION public.email_activity_drops() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_activity_drops() TO email_worker;
GRANT ALL ON FUNCTION public.email_activity_drops() TO email_admin;

REVOKE ALL ON FUNCTION public.email_adv_01_audience() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_adv_01_audience() TO email_worker;
GRANT ALL ON FUNCTION public.email_adv_01_audience() TO email_admin;

REVOKE ALL ON FUNCTION public.email_adv_01_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_adv_01_current(ids bigint[]) TO email_worker;
GRANT ALL ON FUNCTION public.email_adv_01_current(ids bigint[]) TO email_admin;

REVOKE ALL ON FUNCTION public.email_adv_02_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_adv_02_current(ids bigint[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_adv_02_enqueue(facts jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_adv_02_facts(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

GRANT SELECT ON TABLE public.email_signals TO email_worker;
GRANT SELECT ON TABLE public.email_signals TO email_admin;
GRANT INSERT ON TABLE public.email_signals TO email_app;

GRANT SELECT(id) ON TABLE public.email_signals TO email_reader;

GRANT SELECT(kind) ON TABLE public.email_signals TO email_reader;

GRANT SELECT(user_id) ON TABLE public.email_signals TO email_reader;

GRANT SELECT(project_id) ON TABLE public.email_signals TO email_reader;

GRANT SELECT(occurred_at) ON TABLE public.email_signals TO email_reader;

REVOKE ALL ON FUNCTION public.email_adv_02_signal(s public.email_signals) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_answer(letter uuid, key text, answer text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_answer(letter uuid, key text, answer text) TO email_worker;

REVOKE ALL ON FUNCTION public.email_answer_key(dedupe_key text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_answer_nps(token uuid, score integer, comment text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_answer_nps(token uuid, score integer, comment text) TO email_worker;

REVOKE ALL ON FUNCTION public.email_application_columns() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_application_columns() TO email_worker;
GRANT ALL ON FUNCTION public.email_application_columns() TO email_admin;

REVOKE ALL ON FUNCTION public.email_arm() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_arm() TO email_admin;

REVOKE ALL ON FUNCTION public.email_as_of() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_as_of() TO email_worker;
GRANT ALL ON FUNCTION public.email_as_of() TO email_admin;

REVOKE ALL ON FUNCTION public.email_audience(code text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_audience(code text) TO email_worker;
GRANT ALL ON FUNCTION public.email_audience(code text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_backoff(attempts integer, at_least interval) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_backoff(attempts integer, at_least interval) TO email_worker;

REVOKE ALL ON FUNCTION public.email_batch_ready(worker text, batch uuid, ids bigint[], provider text, endpoint text, recovery text, idempotency_key text, body_sha256 bytea, settings jsonb, tokens uuid[], tracked boolean[], lease interval, request_limit interval, resolvable_for interval, patience interval, rate double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_batch_ready(worker text, batch uuid, ids bigint[], provider text, endpoint text, recovery text, idempotency_key text, body_sha256 bytea, settings jsonb, tokens uuid[], tracked boolean[], lease interval, request_limit interval, resolvable_for interval, patience interval, rate double precision) TO email_worker;

REVOKE ALL ON FUNCTION public.email_batch_split(worker text, batch uuid, ids bigint[], batches uuid[], lease interval) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_batch_split(worker text, batch uuid, ids bigint[], batches uuid[], lease interval) TO email_worker;

REVOKE ALL ON FUNCTION public.email_batches_forget() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_bill_01_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_bill_01_current(ids bigint[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_bill_01_enqueue(facts jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_bill_01_facts(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_bill_01_signal(s public.email_signals) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_bill_02_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_bill_02_current(ids bigint[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_bill_02_enqueue(facts jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_bill_02_facts(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_bill_02_signal(s public.email_signals) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_cancel(id bigint, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_cancel(id bigint, reason text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_claim(worker text, provider text, batch_size integer, lease interval, batches integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_claim(worker text, provider text, batch_size integer, lease interval, batches integer) TO email_worker;

REVOKE ALL ON FUNCTION public.email_claim_or_wait(worker text, provider text, batch_size integer, batches integer, lease_seconds double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_claim_or_wait(worker text, provider text, batch_size integer, batches integer, lease_seconds double precision) TO email_worker;

REVOKE ALL ON FUNCTION public.email_claim_size(batch_size integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_claim_size(batch_size integer) TO email_worker;

REVOKE ALL ON FUNCTION public.email_cleanup() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_cleanup() TO email_worker;
GRANT ALL ON FUNCTION public.email_cleanup() TO email_admin;

REVOKE ALL ON FUNCTION public.email_cleanup_batches() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_cleanup_batches() TO email_worker;

REVOKE ALL ON FUNCTION public.email_cleanup_events() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_cleanup_events() TO email_worker;
GRANT ALL ON FUNCTION public.email_cleanup_events() TO email_admin;

REVOKE ALL ON FUNCTION public.email_cleanup_slots() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_cleanup_slots() TO email_worker;
GRANT ALL ON FUNCTION public.email_cleanup_slots() TO email_admin;

REVOKE ALL ON FUNCTION public.email_collect_error(deployment uuid, since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_collect_error(deployment uuid, since timestamp with time zone, until timestamp with time zone) TO email_worker;
GRANT ALL ON FUNCTION public.email_collect_error(deployment uuid, since timestamp with time zone, until timestamp with time zone) TO email_admin;

REVOKE ALL ON FUNCTION public.email_conv_01_audience() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_conv_01_audience() TO email_worker;
GRANT ALL ON FUNCTION public.email_conv_01_audience() TO email_admin;

REVOKE ALL ON FUNCTION public.email_conv_01_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_conv_01_current(ids bigint[]) TO email_worker;
GRANT ALL ON FUNCTION public.email_conv_01_current(ids bigint[]) TO email_admin;

REVOKE ALL ON FUNCTION public.email_conv_02_audience() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_conv_02_audience() TO email_worker;
GRANT ALL ON FUNCTION public.email_conv_02_audience() TO email_admin;

REVOKE ALL ON FUNCTION public.email_conv_02_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_conv_02_current(ids bigint[]) TO email_worker;
GRANT ALL ON FUNCTION public.email_conv_02_current(ids bigint[]) TO email_admin;

REVOKE ALL ON FUNCTION public.email_conv_03_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_conv_03_current(ids bigint[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_conv_03_enqueue(facts jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_conv_03_facts(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_conv_03_signal(s public.email_signals) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_conv_04_attempts(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_conv_04_attempts(ids bigint[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_conv_04_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_conv_04_current(ids bigint[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_conv_04_enqueue(facts jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_conv_04_facts(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_conv_04_signal(s public.email_signals) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_conv_05_audience() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_conv_05_audience() TO email_worker;
GRANT ALL ON FUNCTION public.email_conv_05_audience() TO email_admin;

REVOKE ALL ON FUNCTION public.email_conv_05_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_conv_05_current(ids bigint[]) TO email_worker;
GRANT ALL ON FUNCTION public.email_conv_05_current(ids bigint[]) TO email_admin;

REVOKE ALL ON FUNCTION public.email_conversion_cohorts_over(over interval) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_conversion_cohorts_over(over interval) TO email_reader;
GRANT ALL ON FUNCTION public.email_conversion_cohorts_over(over interval) TO email_admin;

REVOKE ALL ON FUNCTION public.email_cron_cleanup() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_cron_cleanup() TO email_worker;

REVOKE ALL ON FUNCTION public.email_cron_problems() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_cron_problems() TO email_worker;
GRANT ALL ON FUNCTION public.email_cron_problems() TO email_admin;

REVOKE ALL ON FUNCTION public.email_cron_schema() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_cron_schema() TO email_worker;
GRANT ALL ON FUNCTION public.email_cron_schema() TO email_admin;

REVOKE ALL ON FUNCTION public.email_cta_keys(code text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_cta_keys(code text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_cta_problem(code text, cta_path text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_cta_problem(code text, cta_path text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_current(ids bigint[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_day(day text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_day(day text) TO email_worker;
GRANT ALL ON FUNCTION public.email_day(day text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_delivery_id(enqueued_at timestamp with time zone, dedupe_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_delivery_id(enqueued_at timestamp with time zone, dedupe_key text) TO email_worker;

REVOKE ALL ON FUNCTION public.email_deployment_recipients(deployment uuid, contact_role text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_detail_metric(detail text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_detail_metric(detail text) TO email_worker;
GRANT ALL ON FUNCTION public.email_detail_metric(detail text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_device(told text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_device(told text) TO email_worker;

REVOKE ALL ON FUNCTION public.email_doctor() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_doctor() TO email_worker;
GRANT ALL ON FUNCTION public.email_doctor() TO email_admin;

REVOKE ALL ON FUNCTION public.email_drop_counts(of_project uuid, zone text, monday date, checked_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_drop_counts(of_project uuid, zone text, monday date, checked_at timestamp with time zone) TO email_worker;
GRANT ALL ON FUNCTION public.email_drop_counts(of_project uuid, zone text, monday date, checked_at timestamp with time zone) TO email_admin;

REVOKE ALL ON FUNCTION public.email_dry_run(code text, past interval) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_dry_run(code text, past interval) TO email_admin;

REVOKE ALL ON FUNCTION public.email_dry_run_step(code text, facts jsonb, pending bigint[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_enable_phase(n integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_enable_phase(n integer) TO email_admin;

REVOKE ALL ON FUNCTION public.email_engine_fill(source text, french text, said text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_engine_fill(source text, french text, said text) TO email_worker;
GRANT ALL ON FUNCTION public.email_engine_fill(source text, french text, said text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_engine_pattern(source text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_engine_pattern(source text) TO email_worker;
GRANT ALL ON FUNCTION public.email_engine_pattern(source text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_enqueue(email_type text, user_id uuid, dedupe_key text, payload jsonb, run_at timestamp with time zone, project_id uuid, to_email text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_enqueue(email_type text, user_id uuid, dedupe_key text, payload jsonb, run_at timestamp with time zone, project_id uuid, to_email text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_erase_contexts() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_erase_contexts() TO email_worker;
GRANT ALL ON FUNCTION public.email_erase_contexts() TO email_admin;

REVOKE ALL ON FUNCTION public.email_erase_journal(ids uuid[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_erase_letters(ids bigint[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_explain(id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_explain(id bigint) TO email_admin;

REVOKE ALL ON FUNCTION public.email_explain(user_id uuid, code text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_explain(user_id uuid, code text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_explain_gates(row_id bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_extend_lease(worker text, batch uuid, lease interval) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_extend_lease(worker text, batch uuid, lease interval) TO email_worker;

REVOKE ALL ON FUNCTION public.email_facts(code text, since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_fingerprint(objects text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_fingerprint(objects text[]) TO email_worker;
GRANT ALL ON FUNCTION public.email_fingerprint(objects text[]) TO email_admin;

REVOKE ALL ON FUNCTION public.email_finish_ratio_over(over interval) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_finish_ratio_over(over interval) TO email_reader;
GRANT ALL ON FUNCTION public.email_finish_ratio_over(over interval) TO email_admin;

REVOKE ALL ON FUNCTION public.email_forget_user(user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_forget_user(user_id uuid) TO email_admin;

REVOKE ALL ON FUNCTION public.email_french(texts text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_french(texts text[]) TO email_worker;
GRANT ALL ON FUNCTION public.email_french(texts text[]) TO email_admin;

REVOKE ALL ON FUNCTION public.email_function(code text, suffix text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_function(code text, suffix text) TO email_worker;
GRANT ALL ON FUNCTION public.email_function(code text, suffix text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_gates(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_gates(ids bigint[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_grace() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_grace() TO email_worker;

REVOKE ALL ON FUNCTION public.email_grant(privileges text, role_name text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_guard(source text, code text, facts jsonb, state text, message text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_hand_back() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_hand_back() TO email_admin;

REVOKE ALL ON FUNCTION public.email_handover_context(letter jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_handover_enqueue(facts jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_handover_letter(letter jsonb, run_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_handover_move(ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_handover_move(ids uuid[]) TO email_admin;

REVOKE ALL ON FUNCTION public.email_handover_pending() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_handover_pending() TO email_admin;

REVOKE ALL ON FUNCTION public.email_handover_take(job jsonb, OUT changes jsonb, OUT codes text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_handover_trigger() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_handover_uuid(letter jsonb, field text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_heartbeat(worker text, hostname text, pid integer, version text, provider text, state text, in_flight integer, session_pid integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_heartbeat(worker text, hostname text, pid integer, version text, provider text, state text, in_flight integer, session_pid integer) TO email_worker;

REVOKE ALL ON FUNCTION public.email_held_out(recipient text, code text, percent integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_held_out(recipient text, code text, percent integer) TO email_worker;

REVOKE ALL ON FUNCTION public.email_identity() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_identity() TO email_worker;
GRANT ALL ON FUNCTION public.email_identity() TO email_reader;
GRANT ALL ON FUNCTION public.email_identity() TO email_admin;

REVOKE ALL ON FUNCTION public.email_instant(moment timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_instant(moment timestamp with time zone) TO email_worker;
GRANT ALL ON FUNCTION public.email_instant(moment timestamp with time zone) TO email_admin;

REVOKE ALL ON FUNCTION public.email_invitation(address text, as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_invitation(address text, as_of timestamp with time zone) TO email_worker;
GRANT ALL ON FUNCTION public.email_invitation(address text, as_of timestamp with time zone) TO email_admin;

REVOKE ALL ON FUNCTION public.email_is_machine(user_agent text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_isolate(worker text, row_id bigint, lease interval) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_isolate(worker text, row_id bigint, lease interval) TO email_worker;

REVOKE ALL ON FUNCTION public.email_journaled(key text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_key_id(dedupe_key text, part integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_key_id(dedupe_key text, part integer) TO email_worker;

REVOKE ALL ON FUNCTION public.email_kpi_feedback(of_delivery uuid, of_user uuid, key text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_kpi_invoices(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_kpi_letters(of_codes text[], since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_kpi_upgraded(of_project uuid, of_user uuid, since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_kpis_over(over interval) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_kpis_over(over interval) TO email_reader;
GRANT ALL ON FUNCTION public.email_kpis_over(over interval) TO email_admin;

REVOKE ALL ON FUNCTION public.email_lapse_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_lapse_current(ids bigint[]) TO email_worker;
GRANT ALL ON FUNCTION public.email_lapse_current(ids bigint[]) TO email_admin;

REVOKE ALL ON FUNCTION public.email_lapsed(code text, shortest interval, longest interval) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_lapsed(code text, shortest interval, longest interval) TO email_worker;
GRANT ALL ON FUNCTION public.email_lapsed(code text, shortest interval, longest interval) TO email_admin;

REVOKE ALL ON FUNCTION public.email_last_active(of_user uuid, as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_last_active(of_user uuid, as_of timestamp with time zone) TO email_worker;
GRANT ALL ON FUNCTION public.email_last_active(of_user uuid, as_of timestamp with time zone) TO email_admin;

REVOKE ALL ON FUNCTION public.email_last_letter(of_user uuid, code text, other_than text, within interval) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_last_letter(of_user uuid, code text, other_than text, within interval) TO email_worker;
GRANT ALL ON FUNCTION public.email_last_letter(of_user uuid, code text, other_than text, within interval) TO email_admin;

REVOKE ALL ON FUNCTION public.email_latency_trend(of_projects uuid[], before timestamp with time zone, since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_latency_trend(of_projects uuid[], before timestamp with time zone, since timestamp with time zone, until timestamp with time zone) TO email_worker;
GRANT ALL ON FUNCTION public.email_latency_trend(of_projects uuid[], before timestamp with time zone, since timestamp with time zone, until timestamp with time zone) TO email_admin;

REVOKE ALL ON FUNCTION public.email_lift(reached bigint, cases bigint, holdout_reached bigint, holdout_cases bigint, OUT lift numeric, OUT low numeric, OUT high numeric) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_link_keys(cta_path text, dedupe_key text, project uuid, copy_to text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_link_keys(cta_path text, dedupe_key text, project uuid, copy_to text) TO email_worker;
GRANT ALL ON FUNCTION public.email_link_keys(cta_path text, dedupe_key text, project uuid, copy_to text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_lost_workers(worker text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_lost_workers(worker text) TO email_worker;

REVOKE ALL ON FUNCTION public.email_mask(said text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_mask(said text) TO email_reader;
GRANT ALL ON FUNCTION public.email_mask(said text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_may_send(worker text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_may_send(worker text) TO email_worker;

REVOKE ALL ON FUNCTION public.email_may_track(delivery uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_metrics_now() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_metrics_now() TO email_worker;
GRANT ALL ON FUNCTION public.email_metrics_now() TO email_reader;
GRANT ALL ON FUNCTION public.email_metrics_now() TO email_admin;

REVOKE ALL ON FUNCTION public.email_miss_workers(worker text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_miss_workers(worker text) TO email_worker;

REVOKE ALL ON FUNCTION public.email_missing(field text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_missing(field text) TO email_worker;

REVOKE ALL ON FUNCTION public.email_month(month text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_month(month text) TO email_worker;
GRANT ALL ON FUNCTION public.email_month(month text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_next_look(sent_at timestamp with time zone, in_flight_until timestamp with time zone, patience interval) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_next_look(sent_at timestamp with time zone, in_flight_until timestamp with time zone, patience interval) TO email_worker;

REVOKE ALL ON FUNCTION public.email_next_seconds() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_next_seconds() TO email_worker;

REVOKE ALL ON FUNCTION public.email_note_address(provider text, address text, state text, owner uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_note_error(source text, email_type text, error text, fact jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_note_error(source text, email_type text, error text, fact jsonb) TO email_admin;

REVOKE ALL ON FUNCTION public.email_note_errors(source text, email_type text, errors text[], facts jsonb[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_note_limit(provider text, provider_limit double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_note_limit(provider text, provider_limit double precision) TO email_worker;

REVOKE ALL ON FUNCTION public.email_note_unsubscribed(user_id uuid, categories text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_now() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_now() TO email_worker;
GRANT ALL ON FUNCTION public.email_now() TO email_reader;
GRANT ALL ON FUNCTION public.email_now() TO email_admin;

REVOKE ALL ON FUNCTION public.email_opted_out_address(address text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_outbox_admit() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_outbox_rank() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_outbox_settled() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_outbox_wake() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_pause(email_type text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_pause(email_type text, reason text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_percent(part bigint, whole bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_pick(row_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_pick(row_limit integer) TO email_worker;

REVOKE ALL ON FUNCTION public.email_pipeline_failed(deployment uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_pipeline_failed(deployment uuid) TO email_worker;
GRANT ALL ON FUNCTION public.email_pipeline_failed(deployment uuid) TO email_admin;

REVOKE ALL ON FUNCTION public.email_plan_changes_enqueue(facts jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_plan_changes_trigger() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_preferences_of(token uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_preferences_of(token uuid) TO email_worker;

REVOKE ALL ON FUNCTION public.email_project_recipients(project uuid, contact_role text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_project_setup(projects uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_project_setup(projects uuid[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_project_slug(name text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_project_slug(name text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_provider_refused(why text, worker text, until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_provider_refused(why text, worker text, until timestamp with time zone) TO email_worker;

REVOKE ALL ON FUNCTION public.email_provider_relented(worker text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_provider_relented(worker text) TO email_worker;

REVOKE ALL ON FUNCTION public.email_question(letter uuid, key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_question(letter uuid, key text) TO email_worker;

REVOKE ALL ON FUNCTION public.email_quota_audience(code text, key_prefix text, at_least integer, below integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_quota_audience(code text, key_prefix text, at_least integer, below integer) TO email_worker;
GRANT ALL ON FUNCTION public.email_quota_audience(code text, key_prefix text, at_least integer, below integer) TO email_admin;

REVOKE ALL ON FUNCTION public.email_quota_current(ids bigint[], at_least integer, below integer, quota integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_quota_current(ids bigint[], at_least integer, below integer, quota integer) TO email_worker;
GRANT ALL ON FUNCTION public.email_quota_current(ids bigint[], at_least integer, below integer, quota integer) TO email_admin;

REVOKE ALL ON FUNCTION public.email_reason_class(status text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_reason_class(status text, reason text) TO email_worker;
GRANT ALL ON FUNCTION public.email_reason_class(status text, reason text) TO email_reader;
GRANT ALL ON FUNCTION public.email_reason_class(status text, reason text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_record_event(provider text, event_id text, event_type text, occurred_at timestamp with time zone, delivery_id uuid, message_id text, address text, address_state text, details jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_record_event(provider text, event_id text, event_type text, occurred_at timestamp with time zone, delivery_id uuid, message_id text, address text, address_state text, details jsonb) TO email_worker;

REVOKE ALL ON FUNCTION public.email_release_unsent(batch uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_release_unsent(batch uuid) TO email_worker;

REVOKE ALL ON FUNCTION public.email_replay_errors(since timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_replay_errors(since timestamp with time zone) TO email_admin;
GRANT ALL ON FUNCTION public.email_replay_errors(since timestamp with time zone) TO email_worker;

REVOKE ALL ON FUNCTION public.email_report(of_projects uuid[], since timestamp with time zone, until timestamp with time zone, zone text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_report(of_projects uuid[], since timestamp with time zone, until timestamp with time zone, zone text) TO email_worker;
GRANT ALL ON FUNCTION public.email_report(of_projects uuid[], since timestamp with time zone, until timestamp with time zone, zone text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_requests_now() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_requests_now() TO email_admin;

REVOKE ALL ON FUNCTION public.email_requeue(ids bigint[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_resolve(delivery uuid, was_sent boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_resolve(delivery uuid, was_sent boolean) TO email_admin;

REVOKE ALL ON FUNCTION public.email_resume(email_type text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_resume(email_type text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_ret_01_audience() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_ret_01_audience() TO email_worker;
GRANT ALL ON FUNCTION public.email_ret_01_audience() TO email_admin;

REVOKE ALL ON FUNCTION public.email_ret_01_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_ret_01_current(ids bigint[]) TO email_worker;
GRANT ALL ON FUNCTION public.email_ret_01_current(ids bigint[]) TO email_admin;

REVOKE ALL ON FUNCTION public.email_ret_02_audience() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_ret_02_audience() TO email_worker;
GRANT ALL ON FUNCTION public.email_ret_02_audience() TO email_admin;

REVOKE ALL ON FUNCTION public.email_ret_02_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_ret_02_current(ids bigint[]) TO email_worker;
GRANT ALL ON FUNCTION public.email_ret_02_current(ids bigint[]) TO email_admin;

REVOKE ALL ON FUNCTION public.email_ret_03_audience() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_ret_03_audience() TO email_worker;
GRANT ALL ON FUNCTION public.email_ret_03_audience() TO email_admin;

REVOKE ALL ON FUNCTION public.email_ret_03_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_ret_03_current(ids bigint[]) TO email_worker;
GRANT ALL ON FUNCTION public.email_ret_03_current(ids bigint[]) TO email_admin;

REVOKE ALL ON FUNCTION public.email_ret_04_audience() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_ret_04_audience() TO email_worker;
GRANT ALL ON FUNCTION public.email_ret_04_audience() TO email_admin;

REVOKE ALL ON FUNCTION public.email_ret_04_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_ret_04_current(ids bigint[]) TO email_worker;
GRANT ALL ON FUNCTION public.email_ret_04_current(ids bigint[]) TO email_admin;

REVOKE ALL ON FUNCTION public.email_retry(id bigint, even_if_unknown boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_retry(id bigint, even_if_unknown boolean) TO email_admin;

REVOKE ALL ON FUNCTION public.email_retry_failed(email_type text, since timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_retry_failed(email_type text, since timestamp with time zone) TO email_admin;

REVOKE ALL ON FUNCTION public.email_run_due_schedule(worker text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_run_due_schedule(worker text) TO email_worker;

REVOKE ALL ON FUNCTION public.email_run_schedule(name text, runner text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_run_schedule(name text, runner text) TO email_worker;
GRANT ALL ON FUNCTION public.email_run_schedule(name text, runner text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_scan(code text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_scan(code text) TO email_worker;
GRANT ALL ON FUNCTION public.email_scan(code text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_schedule_sync() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_schedule_sync() TO email_admin;

REVOKE ALL ON FUNCTION public.email_sec_01_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_sec_01_current(ids bigint[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_sec_01_enqueue(facts jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_sec_01_facts(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_sec_01_trigger() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_sec_02_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_sec_02_current(ids bigint[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_sec_02_enqueue(facts jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_sec_02_facts(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_sec_02_signal(s public.email_signals) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_segments_now() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_segments_now() TO email_reader;
GRANT ALL ON FUNCTION public.email_segments_now() TO email_admin;

REVOKE ALL ON FUNCTION public.email_set_preferences(token uuid, marketing boolean, product boolean, tracking boolean, timezone text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_set_preferences(token uuid, marketing boolean, product boolean, tracking boolean, timezone text) TO email_worker;

REVOKE ALL ON FUNCTION public.email_settings_applied() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_settings_edited() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_settle(worker text, batch uuid, ids bigint[], outcomes text[], message_ids text[], errors text[], subjects text[], retry_after double precision[], pause_reason text, pause_until timestamp with time zone, limited double precision, provider_limit double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_settle(worker text, batch uuid, ids bigint[], outcomes text[], message_ids text[], errors text[], subjects text[], retry_after double precision[], pause_reason text, pause_until timestamp with time zone, limited double precision, provider_limit double precision) TO email_worker;

REVOKE ALL ON FUNCTION public.email_settle_unknown(delivery_id uuid, provider_message_id text, occurred_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_settle_unknown(delivery_id uuid, provider_message_id text, occurred_at timestamp with time zone) TO email_worker;

REVOKE ALL ON FUNCTION public.email_signal(kind text, user_id uuid, project_id uuid, payload jsonb, occurred_at timestamp with time zone, idempotency_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_signal(kind text, user_id uuid, project_id uuid, payload jsonb, occurred_at timestamp with time zone, idempotency_key text) TO email_admin;
GRANT ALL ON FUNCTION public.email_signal(kind text, user_id uuid, project_id uuid, payload jsonb, occurred_at timestamp with time zone, idempotency_key text) TO email_app;

REVOKE ALL ON FUNCTION public.email_signal_trigger() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_signals_fill() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_sleep(holding integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_sleep(holding integer) TO email_worker;

REVOKE ALL ON FUNCTION public.email_slots_ask(row_id bigint, slot_key text, slot_category text, OUT run_at timestamp with time zone, OUT reason text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_slots_free(ids bigint[], slots text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_slots_free(ids bigint[], slots text[]) TO email_worker;
GRANT ALL ON FUNCTION public.email_slots_free(ids bigint[], slots text[]) TO email_admin;

REVOKE ALL ON FUNCTION public.email_slots_seed() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_slots_seed() TO email_admin;

REVOKE ALL ON FUNCTION public.email_slots_settle(sent bigint[], rejected bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_slots_settle(sent bigint[], rejected bigint[]) TO email_worker;
GRANT ALL ON FUNCTION public.email_slots_settle(sent bigint[], rejected bigint[]) TO email_admin;

REVOKE ALL ON FUNCTION public.email_slots_take(ids bigint[], slots text[], categories text[], OUT asked boolean, OUT waiting bigint[], OUT run_ats timestamp with time zone[], OUT reasons text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_slots_take(ids bigint[], slots text[], categories text[], OUT asked boolean, OUT waiting bigint[], OUT run_ats timestamp with time zone[], OUT reasons text[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_slow_down(provider text, wait_seconds double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_slow_down(provider text, wait_seconds double precision) TO email_worker;

REVOKE ALL ON FUNCTION public.email_step(dedupe_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_step(dedupe_key text) TO email_worker;

REVOKE ALL ON FUNCTION public.email_step_keys(dedupe_key text, params jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_step_keys(dedupe_key text, params jsonb) TO email_worker;

REVOKE ALL ON FUNCTION public.email_subject_choice(code text, user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_subject_choice(code text, user_id uuid) TO email_worker;

REVOKE ALL ON FUNCTION public.email_subject_keys(code text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_subject_keys(code text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_subject_variants_check() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_suppress(ids bigint[], reason text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_suppress_untrue(code text, ids bigint[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_take_jobs() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_take_jobs() TO email_admin;

REVOKE ALL ON FUNCTION public.email_take_over(worker text, provider text, lease interval, busy uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_take_over(worker text, provider text, lease interval, busy uuid[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_take_probe(worker text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_take_probe(worker text) TO email_worker;

REVOKE ALL ON FUNCTION public.email_take_turn(provider text, rate double precision, urgent boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_take_turn(provider text, rate double precision, urgent boolean) TO email_worker;

REVOKE ALL ON FUNCTION public.email_texts_left_out() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_texts_left_out() TO email_worker;
GRANT ALL ON FUNCTION public.email_texts_left_out() TO email_reader;
GRANT ALL ON FUNCTION public.email_texts_left_out() TO email_admin;

REVOKE ALL ON FUNCTION public.email_token(user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_token(user_id uuid) TO email_worker;

REVOKE ALL ON FUNCTION public.email_token_holder(token uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_told_people_enqueue(facts jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_told_people_signal(s public.email_signals) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_told_people_trigger() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_trx_01_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_trx_01_current(ids bigint[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_trx_01_enqueue(facts jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_trx_01_facts(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_trx_01_rows(id uuid, created_at timestamp with time zone, at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_trx_01_trigger() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_trx_02_address() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_trx_02_current(ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_trx_02_current(ids bigint[]) TO email_worker;

REVOKE ALL ON FUNCTION public.email_trx_02_enqueue(facts jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_trx_02_facts(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_trx_02_signal(s public.email_signals) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_type_kpi_counts(over interval) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_type_kpi_deployments(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_type_kpi_feedback(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_type_kpi_invitations(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_type_kpi_logins(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_type_kpi_payments(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_type_kpi_projects(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_type_kpi_returns(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_type_kpi_survey(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_type_kpi_twofa(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_type_kpi_unsubscribes(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_type_kpi_upgrades(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_type_kpi_verdicts(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_type_kpis_over(over interval) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_type_kpis_over(over interval) TO email_reader;
GRANT ALL ON FUNCTION public.email_type_kpis_over(over interval) TO email_admin;

REVOKE ALL ON FUNCTION public.email_types_applied() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_types_cta_check() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_types_edited() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_unmeasured(verdict text, summary text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_unmeasured(verdict text, summary text) TO email_worker;
GRANT ALL ON FUNCTION public.email_unmeasured(verdict text, summary text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_unsubscribe(token uuid, category text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_unsubscribe(token uuid, category text) TO email_worker;
GRANT ALL ON FUNCTION public.email_unsubscribe(token uuid, category text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_urgent(rank integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_urgent(rank integer) TO email_worker;

REVOKE ALL ON FUNCTION public.email_urgent_due() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_urgent_due() TO email_worker;

REVOKE ALL ON FUNCTION public.email_usage(of_user uuid, since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_usage(of_user uuid, since timestamp with time zone, until timestamp with time zone) TO email_worker;
GRANT ALL ON FUNCTION public.email_usage(of_user uuid, since timestamp with time zone, until timestamp with time zone) TO email_admin;

REVOKE ALL ON FUNCTION public.email_user_of_address(address text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_value(of_projects uuid[], since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_value(of_projects uuid[], since timestamp with time zone, until timestamp with time zone) TO email_worker;
GRANT ALL ON FUNCTION public.email_value(of_projects uuid[], since timestamp with time zone, until timestamp with time zone) TO email_admin;

REVOKE ALL ON FUNCTION public.email_verdict_figures(deployments uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_verdict_figures(deployments uuid[]) TO email_worker;
GRANT ALL ON FUNCTION public.email_verdict_figures(deployments uuid[]) TO email_admin;

REVOKE ALL ON FUNCTION public.email_verdict_limits() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_verdict_limits() TO email_worker;
GRANT ALL ON FUNCTION public.email_verdict_limits() TO email_admin;

REVOKE ALL ON FUNCTION public.email_wake_key() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_wake_key() TO email_worker;

REVOKE ALL ON FUNCTION public.email_wake_lanes() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_wake_lanes() TO email_worker;

REVOKE ALL ON FUNCTION public.email_wau_over(over interval) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_wau_over(over interval) TO email_reader;
GRANT ALL ON FUNCTION public.email_wau_over(over interval) TO email_admin;

REVOKE ALL ON FUNCTION public.email_week(week text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_week(week text) TO email_worker;
GRANT ALL ON FUNCTION public.email_week(week text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_wilson(successes bigint, trials bigint, OUT low numeric, OUT high numeric) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.email_zone(name text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_zone(name text) TO email_worker;
GRANT ALL ON FUNCTION public.email_zone(name text) TO email_admin;

REVOKE ALL ON FUNCTION public.email_zones() FROM PUBLIC;
GRANT ALL ON FUNCTION public.email_zones() TO email_worker;
GRANT ALL ON FUNCTION public.email_zones() TO email_admin;

GRANT SELECT(deployment_id) ON TABLE public.deployment_verdicts TO email_worker;
GRANT SELECT(deployment_id) ON TABLE public.deployment_verdicts TO email_admin;

GRANT SELECT(verdict) ON TABLE public.deployment_verdicts TO email_worker;
GRANT SELECT(verdict) ON TABLE public.deployment_verdicts TO email_admin;

GRANT SELECT(confidence) ON TABLE public.deployment_verdicts TO email_worker;

GRANT SELECT(summary) ON TABLE public.deployment_verdicts TO email_worker;
GRANT SELECT(summary) ON TABLE public.deployment_verdicts TO email_admin;

GRANT SELECT(details) ON TABLE public.deployment_verdicts TO email_worker;

GRANT SELECT(created_at) ON TABLE public.deployment_verdicts TO email_worker;

GRANT SELECT(id) ON TABLE public.deployments TO email_worker;
GRANT SELECT(id) ON TABLE public.deployments TO email_admin;

GRANT SELECT(deployment_number) ON TABLE public.deployments TO email_worker;

GRANT SELECT(project_id) ON TABLE public.deployments TO email_worker;
GRANT SELECT(project_id) ON TABLE public.deployments TO email_admin;

GRANT SELECT(env) ON TABLE public.deployments TO email_worker;

GRANT SELECT(state) ON TABLE public.deployments TO email_worker;
GRANT SELECT(state) ON TABLE public.deployments TO email_admin;

GRANT SELECT(pipeline_result) ON TABLE public.deployments TO email_worker;
GRANT SELECT(pipeline_result) ON TABLE public.deployments TO email_admin;

GRANT SELECT(started_at) ON TABLE public.deployments TO email_worker;
GRANT SELECT(started_at) ON TABLE public.deployments TO email_admin;

GRANT SELECT(finished_at) ON TABLE public.deployments TO email_worker;

GRANT SELECT ON TABLE public.email_ab_results TO email_reader;
GRANT SELECT ON TABLE public.email_ab_results TO email_admin;

GRANT SELECT,INSERT,UPDATE ON TABLE public.email_batches TO email_worker;
GRANT SELECT ON TABLE public.email_batches TO email_admin;

GRANT SELECT(batch_id) ON TABLE public.email_batches TO email_reader;

GRANT SELECT(state) ON TABLE public.email_batches TO email_reader;

GRANT SELECT(provider) ON TABLE public.email_batches TO email_reader;

GRANT SELECT(endpoint) ON TABLE public.email_batches TO email_reader;

GRANT SELECT(worker) ON TABLE public.email_batches TO email_reader;

GRANT SELECT(recovery) ON TABLE public.email_batches TO email_reader;

GRANT SELECT(attempt) ON TABLE public.email_batches TO email_reader;

GRANT SELECT(searches) ON TABLE public.email_batches TO email_reader;

GRANT SELECT(first_sent_at) ON TABLE public.email_batches TO email_reader;

GRANT SELECT(last_sent_at) ON TABLE public.email_batches TO email_reader;

GRANT SELECT(in_flight_until) ON TABLE public.email_batches TO email_reader;

GRANT SELECT(resolve_until) ON TABLE public.email_batches TO email_reader;

GRANT SELECT(patience) ON TABLE public.email_batches TO email_reader;

GRANT SELECT(settled_at) ON TABLE public.email_batches TO email_reader;

GRANT SELECT(members) ON TABLE public.email_batches TO email_reader;

GRANT SELECT(mismatched_at) ON TABLE public.email_batches TO email_reader;

GRANT SELECT,INSERT,UPDATE ON TABLE public.email_deliveries TO email_worker;
GRANT SELECT ON TABLE public.email_deliveries TO email_admin;

GRANT SELECT(id) ON TABLE public.email_deliveries TO email_reader;

GRANT SELECT(user_id) ON TABLE public.email_deliveries TO email_reader;

GRANT SELECT(project_id) ON TABLE public.email_deliveries TO email_reader;

GRANT SELECT(email_type) ON TABLE public.email_deliveries TO email_reader;

GRANT SELECT(status) ON TABLE public.email_deliveries TO email_reader;

GRANT SELECT(sent_at) ON TABLE public.email_deliveries TO email_reader;

GRANT SELECT(created_at) ON TABLE public.email_deliveries TO email_reader;

GRANT SELECT(outbox_id) ON TABLE public.email_deliveries TO email_reader;

GRANT SELECT(provider) ON TABLE public.email_deliveries TO email_reader;

GRANT SELECT(variant) ON TABLE public.email_deliveries TO email_reader;

GRANT SELECT ON TABLE public.email_settings TO email_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.email_settings TO email_admin;
GRANT SELECT ON TABLE public.email_settings TO email_reader;

GRANT UPDATE(paused_at) ON TABLE public.email_settings TO email_worker;

GRANT UPDATE(paused_by) ON TABLE public.email_settings TO email_worker;

GRANT UPDATE(paused_reason) ON TABLE public.email_settings TO email_worker;

GRANT UPDATE(probe_at) ON TABLE public.email_settings TO email_worker;

GRANT UPDATE(probes) ON TABLE public.email_settings TO email_worker;

GRANT UPDATE(probed_by) ON TABLE public.email_settings TO email_worker;

GRANT SELECT ON TABLE public.email_types TO email_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.email_types TO email_admin;
GRANT SELECT ON TABLE public.email_types TO email_reader;

GRANT UPDATE(paused_at) ON TABLE public.email_types TO email_worker;
GRANT UPDATE(paused_at) ON TABLE public.email_types TO email_admin;

GRANT UPDATE(paused_reason) ON TABLE public.email_types TO email_worker;
GRANT UPDATE(paused_reason) ON TABLE public.email_types TO email_admin;

GRANT UPDATE(blast_found) ON TABLE public.email_types TO email_worker;
GRANT UPDATE(blast_found) ON TABLE public.email_types TO email_admin;

GRANT SELECT ON TABLE public.email_cap_violations TO email_reader;
GRANT SELECT ON TABLE public.email_cap_violations TO email_admin;

GRANT SELECT ON TABLE public.email_conversion_cohorts TO email_reader;
GRANT SELECT ON TABLE public.email_conversion_cohorts TO email_admin;

GRANT SELECT ON TABLE public.email_deliveries_masked TO email_reader;
GRANT SELECT ON TABLE public.email_deliveries_masked TO email_admin;

GRANT SELECT ON TABLE public.email_engine_texts TO email_worker;
GRANT SELECT ON TABLE public.email_engine_texts TO email_reader;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.email_engine_texts TO email_admin;

GRANT SELECT ON TABLE public.email_events TO email_admin;

GRANT SELECT(id) ON TABLE public.email_events TO email_reader;

GRANT SELECT(email_delivery_id) ON TABLE public.email_events TO email_reader;

GRANT SELECT(event_type) ON TABLE public.email_events TO email_reader;

GRANT SELECT(occurred_at) ON TABLE public.email_events TO email_reader;

GRANT SELECT ON TABLE public.email_finish_ratio TO email_reader;
GRANT SELECT ON TABLE public.email_finish_ratio TO email_admin;

GRANT SELECT ON TABLE public.email_forgotten TO email_admin;

GRANT SELECT(user_id) ON TABLE public.email_forgotten TO email_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE public.email_outbox TO email_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.email_outbox TO email_admin;

GRANT SELECT(id) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(email_type) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(status) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(user_id) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(project_id) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(run_at) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(due_at) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(retry_at) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(priority) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(rank) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(reason) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(attempts) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(claims) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(locked_by) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(locked_until) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(batch_id) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(batch_position) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(claimed_at) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(created_at) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT(finished_at) ON TABLE public.email_outbox TO email_reader;

GRANT SELECT ON TABLE public.email_trigger_errors TO email_worker;
GRANT SELECT,UPDATE ON TABLE public.email_trigger_errors TO email_admin;

GRANT SELECT(id) ON TABLE public.email_trigger_errors TO email_reader;

GRANT SELECT(source) ON TABLE public.email_trigger_errors TO email_reader;

GRANT SELECT(email_type) ON TABLE public.email_trigger_errors TO email_reader;

GRANT SELECT(occurred_at) ON TABLE public.email_trigger_errors TO email_reader;

GRANT SELECT(replayed_at) ON TABLE public.email_trigger_errors TO email_reader;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.email_workers TO email_worker;
GRANT SELECT ON TABLE public.email_workers TO email_reader;
GRANT SELECT ON TABLE public.email_workers TO email_admin;

GRANT SELECT ON TABLE public.email_health TO email_worker;
GRANT SELECT ON TABLE public.email_health TO email_reader;
GRANT SELECT ON TABLE public.email_health TO email_admin;

GRANT SELECT ON TABLE public.email_kpis TO email_reader;
GRANT SELECT ON TABLE public.email_kpis TO email_admin;

GRANT SELECT,INSERT,UPDATE ON TABLE public.email_marketing_slots TO email_worker;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.email_marketing_slots TO email_admin;

GRANT SELECT ON TABLE public.email_metrics TO email_worker;
GRANT SELECT ON TABLE public.email_metrics TO email_reader;
GRANT SELECT ON TABLE public.email_metrics TO email_admin;

GRANT SELECT ON TABLE public.email_outbox_masked TO email_reader;
GRANT SELECT ON TABLE public.email_outbox_masked TO email_admin;

GRANT SELECT ON TABLE public.email_outbox_summary TO email_worker;
GRANT SELECT ON TABLE public.email_outbox_summary TO email_reader;
GRANT SELECT ON TABLE public.email_outbox_summary TO email_admin;

GRANT SELECT,INSERT ON TABLE public.email_preferences TO email_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.email_preferences TO email_admin;

GRANT UPDATE(user_id) ON TABLE public.email_preferences TO email_worker;
GRANT SELECT(user_id) ON TABLE public.email_preferences TO email_reader;

GRANT SELECT(marketing_opt_in) ON TABLE public.email_preferences TO email_reader;

GRANT SELECT(product_updates_opt_in) ON TABLE public.email_preferences TO email_reader;

GRANT SELECT(security_opt_in) ON TABLE public.email_preferences TO email_reader;

GRANT SELECT(tracking_consent) ON TABLE public.email_preferences TO email_reader;

GRANT SELECT(timezone) ON TABLE public.email_preferences TO email_reader;

GRANT SELECT(updated_at) ON TABLE public.email_preferences TO email_reader;

GRANT SELECT ON TABLE public.email_project_contacts TO email_worker;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.email_project_contacts TO email_admin;

GRANT SELECT,INSERT,UPDATE ON TABLE public.email_rates TO email_worker;
GRANT SELECT ON TABLE public.email_rates TO email_reader;
GRANT SELECT ON TABLE public.email_rates TO email_admin;

GRANT SELECT ON TABLE public.email_recent TO email_worker;
GRANT SELECT ON TABLE public.email_recent TO email_reader;
GRANT SELECT ON TABLE public.email_recent TO email_admin;

GRANT SELECT ON TABLE public.email_requests TO email_admin;

GRANT SELECT ON TABLE public.email_schedules TO email_worker;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.email_schedules TO email_admin;

GRANT SELECT(name) ON TABLE public.email_schedules TO email_reader;

GRANT SELECT(runs) ON TABLE public.email_schedules TO email_reader;

GRANT SELECT(code) ON TABLE public.email_schedules TO email_reader;

GRANT SELECT(every) ON TABLE public.email_schedules TO email_reader;

GRANT SELECT(cron) ON TABLE public.email_schedules TO email_reader;

GRANT SELECT(enabled) ON TABLE public.email_schedules TO email_reader;

GRANT SELECT(cron_job_id) ON TABLE public.email_schedules TO email_reader;

GRANT UPDATE(last_started_at) ON TABLE public.email_schedules TO email_worker;
GRANT SELECT(last_started_at) ON TABLE public.email_schedules TO email_reader;

GRANT UPDATE(last_success_at) ON TABLE public.email_schedules TO email_worker;
GRANT SELECT(last_success_at) ON TABLE public.email_schedules TO email_reader;

GRANT UPDATE(last_duration) ON TABLE public.email_schedules TO email_worker;
GRANT SELECT(last_duration) ON TABLE public.email_schedules TO email_reader;

GRANT UPDATE(last_rows) ON TABLE public.email_schedules TO email_worker;
GRANT SELECT(last_rows) ON TABLE public.email_schedules TO email_reader;

GRANT UPDATE(last_error) ON TABLE public.email_schedules TO email_worker;

GRANT UPDATE(last_run_by) ON TABLE public.email_schedules TO email_worker;
GRANT SELECT(last_run_by) ON TABLE public.email_schedules TO email_reader;

GRANT SELECT ON TABLE public.email_schema_history TO email_worker;
GRANT SELECT ON TABLE public.email_schema_history TO email_reader;
GRANT SELECT ON TABLE public.email_schema_history TO email_admin;

GRANT SELECT ON TABLE public.email_segments TO email_reader;
GRANT SELECT ON TABLE public.email_segments TO email_admin;

GRANT SELECT ON TABLE public.email_sql_files TO email_worker;
GRANT SELECT ON TABLE public.email_sql_files TO email_reader;
GRANT SELECT ON TABLE public.email_sql_files TO email_admin;

GRANT SELECT ON TABLE public.email_subject_variants TO email_worker;
GRANT SELECT ON TABLE public.email_subject_variants TO email_reader;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.email_subject_variants TO email_admin;

GRANT SELECT,INSERT ON TABLE public.email_suppressions TO email_worker;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.email_suppressions TO email_admin;

GRANT SELECT(reason) ON TABLE public.email_suppressions TO email_reader;

GRANT SELECT(created_at) ON TABLE public.email_suppressions TO email_reader;

GRANT SELECT ON TABLE public.email_type_kpis TO email_reader;
GRANT SELECT ON TABLE public.email_type_kpis TO email_admin;

GRANT SELECT ON TABLE public.email_unknown_engine_texts TO email_worker;
GRANT SELECT ON TABLE public.email_unknown_engine_texts TO email_reader;
GRANT SELECT ON TABLE public.email_unknown_engine_texts TO email_admin;

GRANT SELECT ON TABLE public.email_unknown_outcomes TO email_worker;
GRANT SELECT ON TABLE public.email_unknown_outcomes TO email_reader;
GRANT SELECT ON TABLE public.email_unknown_outcomes TO email_admin;

GRANT SELECT ON TABLE public.email_upcoming TO email_reader;
GRANT SELECT ON TABLE public.email_upcoming TO email_admin;

GRANT SELECT ON TABLE public.email_wau TO email_reader;
GRANT SELECT ON TABLE public.email_wau TO email_admin;

GRANT SELECT(deployment_id) ON TABLE public.metric_samples TO email_worker;
GRANT SELECT(deployment_id) ON TABLE public.metric_samples TO email_admin;

GRANT SELECT(phase) ON TABLE public.metric_samples TO email_worker;
GRANT SELECT(phase) ON TABLE public.metric_samples TO email_admin;

GRANT SELECT(requests_per_sec) ON TABLE public.metric_samples TO email_worker;

GRANT SELECT(latency_p95) ON TABLE public.metric_samples TO email_worker;
GRANT SELECT(latency_p95) ON TABLE public.metric_samples TO email_admin;

GRANT SELECT(error_rate) ON TABLE public.metric_samples TO email_worker;

GRANT SELECT(cpu_usage) ON TABLE public.metric_samples TO email_worker;

GRANT SELECT(memory_usage) ON TABLE public.metric_samples TO email_worker;

GRANT SELECT(id) ON TABLE public.projects TO email_worker;
GRANT SELECT(id) ON TABLE public.projects TO email_admin;

GRANT SELECT(name) ON TABLE public.projects TO email_worker;
GRANT SELECT(name) ON TABLE public.projects TO email_admin;

GRANT SELECT(owner_id) ON TABLE public.projects TO email_worker;
GRANT SELECT(owner_id) ON TABLE public.projects TO email_admin;

GRANT SELECT(envs) ON TABLE public.projects TO email_worker;

GRANT SELECT(plan) ON TABLE public.projects TO email_worker;
GRANT SELECT(plan) ON TABLE public.projects TO email_admin;

GRANT SELECT(created_at) ON TABLE public.projects TO email_worker;
GRANT SELECT(created_at) ON TABLE public.projects TO email_admin;

GRANT SELECT(deployment_id) ON TABLE public.scheduled_jobs TO email_worker;

GRANT SELECT(job_type) ON TABLE public.scheduled_jobs TO email_worker;

GRANT SELECT(scheduled_at) ON TABLE public.scheduled_jobs TO email_worker;

GRANT SELECT(status) ON TABLE public.scheduled_jobs TO email_worker;

GRANT SELECT(last_error) ON TABLE public.scheduled_jobs TO email_worker;

GRANT SELECT(deployment_id) ON TABLE public.sdh_hints TO email_worker;

GRANT SELECT(metric) ON TABLE public.sdh_hints TO email_worker;

GRANT SELECT(severity) ON TABLE public.sdh_hints TO email_worker;

GRANT SELECT(confidence) ON TABLE public.sdh_hints TO email_worker;

GRANT SELECT(title) ON TABLE public.sdh_hints TO email_worker;

GRANT SELECT(diagnosis) ON TABLE public.sdh_hints TO email_worker;

GRANT SELECT(suggested_actions) ON TABLE public.sdh_hints TO email_worker;

GRANT SELECT(id) ON TABLE public.users TO email_worker;
GRANT SELECT(id) ON TABLE public.users TO email_admin;

GRANT SELECT(name) ON TABLE public.users TO email_worker;

GRANT SELECT(email) ON TABLE public.users TO email_worker;

GRANT SELECT(is_active) ON TABLE public.users TO email_worker;
GRANT SELECT(is_active) ON TABLE public.users TO email_admin;

GRANT SELECT(twofa_last_verified_at) ON TABLE public.users TO email_worker;
GRANT SELECT(twofa_last_verified_at) ON TABLE public.users TO email_admin;

GRANT SELECT(created_at) ON TABLE public.users TO email_worker;
GRANT SELECT(created_at) ON TABLE public.users TO email_admin;
