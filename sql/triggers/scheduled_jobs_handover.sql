-- Hand-over from the application's own scheduler                     (docs/rules.md#hand-over)
-- requires: scheduled_jobs
--
-- cause       scheduled_jobs: a pending email_send or notification_outbox job is inserted, or is pending when migrate installs this
-- what        each email of the job becomes an outbox row at the job's scheduled_at, under the application's own dedupe key, to its
--             address, with its project and its context; an email_send job is stored completed.  Of a notification_outbox job
--             the email parts leave the list and the others stay: nothing left means completed, otherwise it stays pending.
-- left alone  a job that lacks user_id, email_type or dedupe_key or names an unknown code, as a whole and exactly as it is; noted in
--             email_trigger_errors, and taken by email_replay_errors() when that helps.  Every job, while email_settings.handover
--             is false.
-- no letter   a key that is known already (the letter's own trigger came first, or the journal remembers it) and a type that is
--             disabled: the job is completed all the same, because a letter the DBA switched off is nobody's to send
-- env_forced  a key env_forced:{project}:{date} is E-CONV-04 of the feature multi_env, whatever type the job names, under that
--             letter's own key: one a month of a user; the job's key stays in the payload (job_key), for the way back
-- params      none; email_settings.handover
-- reads       scheduled_jobs (id, job_type, status, scheduled_at, job_metadata), projects (id)

-- One letter -------------------------------------------------------------------------------------------------------------
-- SQL casts the ids of a payload, and a figure it does not know is read from there: an id that is none would fail the letter
-- although the key tells it.
create or replace function public.email_handover_context(letter jsonb) returns jsonb
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    context jsonb := case
        when jsonb_typeof(letter -> 'context') = 'object' then letter -> 'context'
        when jsonb_typeof(letter -> 'template_context') = 'object' then letter -> 'template_context'
        else '{}'
    end;
    field text;
begin
    -- Names of ours that no context of the application's can mean.
    context := context - '{signal_id,step,cta_path,time_zone,job_key,features}'::text[];
    foreach field in array array['project_id', 'deployment_id'] loop
        if context ->> field !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
            context := context - field;
        end if;
    end loop;
    return context;
end
$$;
comment on function public.email_handover_context(jsonb) is
'What the application gave a letter to say (context, or template_context), without what would make it fail.';
revoke all on function public.email_handover_context(jsonb) from public;

create or replace function public.email_handover_uuid(letter jsonb, field text) returns uuid
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
select public.email_key_id(letter ->> field, 1)
$$;
comment on function public.email_handover_uuid(jsonb, text) is 'An id in a job''s metadata; null when it is missing or none.';
revoke all on function public.email_handover_uuid(jsonb, text) from public;

create or replace function public.email_handover_letter(letter jsonb, run_at timestamptz) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    key text := coalesce(nullif(letter ->> 'dedupe_key', ''), public.email_missing('dedupe_key'));
    env_forced boolean := key like 'env\_forced:%';
    code text := case when env_forced then 'E-CONV-04' else coalesce(nullif(letter ->> 'email_type', ''), public.email_missing('email_type')) end;
    recipient uuid := public.email_handover_uuid(letter, 'user_id');
    context jsonb := public.email_handover_context(letter);
    own_key text := key;
begin
    if recipient is null then
        if nullif(letter ->> 'user_id', '') is null then
            perform public.email_missing('user_id');
        end if;
        raise exception 'field "user_id" is not a uuid' using errcode = 'invalid_text_representation';
    end if;
    if env_forced then
        -- What the application sent before it was taken over has its key.
        if exists (select from public.email_deliveries d where d.dedupe_key = key and not (d.status = 'failed' and d.provider_message_id is null)) then
            return null;
        end if;
        own_key := format('pro_feature:%s:multi_env:%s', recipient,
            coalesce(substring(key from ':(\d{4}-(?:0[1-9]|1[0-2]))-\d{2}$'), to_char(run_at at time zone 'UTC', 'YYYY-MM')));
        context := context || jsonb_build_object('feature', 'multi_env', 'job_key', key);
    end if;
    insert into public.email_outbox (email_type, user_id, project_id, to_email, dedupe_key, payload, run_at)
    values (
        code, recipient,
        -- An id that the key names is a project when there is such a project.
        coalesce(public.email_handover_uuid(letter, 'project_id'), public.email_handover_uuid(context, 'project_id'),
            (select p.id from public.projects p where p.id = public.email_key_id(key, 2))),
        nullif(btrim(letter ->> 'to_email'), ''), own_key, context, run_at
    )
    on conflict (dedupe_key) do nothing;
    return case when found then code end;
end
$$;
comment on function public.email_handover_letter(jsonb, timestamptz) is
'Enqueues one email of the application''s under the catalogue''s key, which is its own save for env_forced; answers its code, or null when the key is known already or the type is disabled. An error says what it lacks.';
revoke all on function public.email_handover_letter(jsonb, timestamptz) from public;

-- One job ----------------------------------------------------------------------------------------------------------------
-- Its settings: see sql/core/20_guard.sql.
create or replace function public.email_handover_take(job jsonb, out changes jsonb, out codes text[])
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
    metadata jsonb := job -> 'job_metadata';
    run_at timestamptz := (job ->> 'scheduled_at')::timestamptz;
    part jsonb;
    kept jsonb := '[]'::jsonb;
begin
    codes := '{}';
    if (select s.handover from public.email_settings s) is not true then
        return;
    end if;
    if job ->> 'job_type' = 'email_send' then
        codes := array_append(codes, public.email_handover_letter(metadata, run_at));
        changes := '{"status": "completed"}'::jsonb;
    elsif job ->> 'job_type' = 'notification_outbox' then
        if jsonb_typeof(metadata -> 'notifications') is distinct from 'array' then
            perform public.email_missing('notifications');
        end if;
        for part in select n.part from jsonb_array_elements(metadata -> 'notifications') with ordinality as n (part, place) order by n.place loop
            if part ->> 'channel' = 'email' then
                codes := array_append(codes, public.email_handover_letter(part -> 'payload', run_at));
            else
                kept := kept || jsonb_build_array(part);
            end if;
        end loop;
        if cardinality(codes) > 0 then
            changes := jsonb_build_object(
                'job_metadata', jsonb_set(metadata, '{notifications}', kept),
                'status', case when jsonb_array_length(kept) = 0 then 'completed' else job ->> 'status' end);
        end if;
    end if;
    codes := array_remove(codes, null);
end
$$;
comment on function public.email_handover_take(jsonb) is
'Takes the emails out of one job of scheduled_jobs, given as a whole: what is to be changed of it (null: nothing), and the codes that were enqueued. An error says why it cannot be taken.';
revoke all on function public.email_handover_take(jsonb) from public;

-- As it is inserted ------------------------------------------------------------------------------------------------------
-- The row is never assigned to: whatever fails, the application's own is stored.
create or replace function public.email_handover_trigger() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $$
declare
    changed jsonb;
begin
    if new.job_type not in ('email_send', 'notification_outbox') or new.status <> 'pending' then
        return new;
    end if;
    select t.changes into changed from public.email_handover_take(to_jsonb(new)) t;
    if changed is null then
        return new;
    end if;
    return jsonb_populate_record(new, changed);
exception when others then
    begin
        perform public.email_note_error('email_handover', null, sqlstate || ': ' || sqlerrm, jsonb_build_object('job_id', to_jsonb(new) -> 'id'));
    exception when others then
        raise warning 'seqpulse-mailer: a job of scheduled_jobs could not be taken: %', sqlerrm;
    end;
    return new;
end
$$;
comment on function public.email_handover_trigger() is
'Before a job is inserted into scheduled_jobs: takes the emails out of it. Never fails the application''s statement.';
revoke all on function public.email_handover_trigger() from public;

create or replace trigger email_handover before insert on public.scheduled_jobs
for each row execute function public.email_handover_trigger();

-- What is there already ----------------------------------------------------------------------------------------------------
create or replace function public.email_handover_pending() returns uuid[]
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return array(
        select j.id from public.scheduled_jobs j
        where j.status = 'pending' and j.job_type in ('email_send', 'notification_outbox')
        order by j.scheduled_at, j.id
    );
end
$$;
comment on function public.email_handover_pending() is 'The jobs of the application''s that may hold emails and wait for their time.';
revoke all on function public.email_handover_pending() from public;

-- A job that a scheduler of the application works on is left to it.  One subtransaction per job, so that each is taken or left as a whole.
create or replace function public.email_handover_move(ids uuid[])
returns table (job_id uuid, codes text[], fault text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    job record;
    taken record;
begin
    for job in
        select j.id, to_jsonb(j) as whole from public.scheduled_jobs j
        where j.id = any(ids) and j.status = 'pending'
        order by j.scheduled_at, j.id
        for update skip locked
    loop
        begin
            select t.changes, t.codes into taken from public.email_handover_take(job.whole) t;
            continue when taken.changes is null;
            update public.scheduled_jobs j set
                status = taken.changes ->> 'status',
                job_metadata = coalesce(taken.changes -> 'job_metadata', j.job_metadata)
            where j.id = job.id;
            job_id := job.id;
            codes := taken.codes;
            fault := null;
        exception when others then
            job_id := job.id;
            codes := '{}';
            fault := sqlstate || ': ' || sqlerrm;
            perform public.email_note_error('email_handover', null, fault, jsonb_build_object('job_id', job.id));
        end;
        return next;
    end loop;
end
$$;
comment on function public.email_handover_move(uuid[]) is
'Takes the emails out of these jobs, those that are pending and that no scheduler works on: what was enqueued of each, or why it was left.';
revoke all on function public.email_handover_move(uuid[]) from public;

create or replace function public.email_take_jobs()
returns table (jobs bigint, letters bigint, known_or_disabled bigint, left_alone bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        count(*) filter (where m.fault is null),
        coalesce(sum(cardinality(m.codes)), 0)::bigint,
        count(*) filter (where m.fault is null and m.codes = '{}'),
        count(m.fault)
    from public.email_handover_move(public.email_handover_pending()) m;
end
$$;
comment on function public.email_take_jobs() is
'Takes the emails out of every pending job of the application''s scheduler, as migrate does once: how many jobs were taken, how many letters they gave, how many of the jobs gave none (known already, or disabled), how many were left and noted in email_trigger_errors.';
revoke all on function public.email_take_jobs() from public;

-- What email_replay_errors() calls.  A job that is not pending any more was done by the application.
create or replace function public.email_handover_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $$
declare
    job record;
    taken record;
begin
    for job in
        select j.id, to_jsonb(j) as whole
        from jsonb_array_elements(facts) f
        join public.scheduled_jobs j on j.id = (f ->> 'job_id')::uuid
        where j.status = 'pending'
        for update of j
    loop
        select t.changes into taken from public.email_handover_take(job.whole) t;
        if taken.changes is not null then
            update public.scheduled_jobs j set
                status = taken.changes ->> 'status',
                job_metadata = coalesce(taken.changes -> 'job_metadata', j.job_metadata)
            where j.id = job.id;
        end if;
    end loop;
end
$$;
comment on function public.email_handover_enqueue(jsonb) is 'Takes the emails out of jobs that could not be taken before. facts: [{job_id}].';
revoke all on function public.email_handover_enqueue(jsonb) from public;

-- The way back ---------------------------------------------------------------------------------------------------------------
-- Letters that wait and that the application would schedule itself become jobs of its own again, with the figures of now.  What it
-- never sent stays.  Their rows go: a key that is known would be taken for done when the DBA switches again.
create or replace function public.email_hand_back()
returns table (email_type text, jobs bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    ids bigint[];
begin
    update public.email_settings set handover = false where handover;
    ids := array(
        select o.id from public.email_outbox o
        where o.status = 'queued'
        and (o.payload ? 'job_key' or split_part(o.dedupe_key, ':', 1) in
            ('welcome_signup', 'no_project_after_signup', 'first_verdict_available', 'critical_verdict_alert', 'free_quota_80', 'free_quota_reached', 'env_forced'))
        for update skip locked
    );
    return query
    with letters as (
        select o.*, g.recipient, g.context
        from public.email_gates(ids) g
        join public.email_outbox o on o.id = g.id
        -- What is not true any more, or must not go out, ends here.
        where g.verdict not in ('suppress', 'fail')
    ),
    handed as (
        insert into public.scheduled_jobs (job_type, scheduled_at, status, job_metadata)
        select
            'email_send', case when isfinite(l.run_at) then l.run_at else l.due_at end, 'pending',
            jsonb_build_object('user_id', l.user_id, 'to_email', l.recipient, 'email_type', l.email_type, 'dedupe_key', coalesce(l.payload ->> 'job_key', l.dedupe_key),
                'project_id', l.project_id, 'context', l.context - '{time_zone,cta_path,job_key}'::text[])
        from letters l
        returning id
    ),
    unclaimed as (
        -- The provider refused it before, for now.
        update public.email_deliveries d set status = 'failed', error_message = coalesce(d.error_message, 'handed back')
        from letters l
        where d.dedupe_key = l.dedupe_key and d.status = 'queued'
    ),
    gone as (
        delete from public.email_outbox o using letters l where o.id = l.id
        returning o.email_type
    )
    select g.email_type, count(*) from gone g group by g.email_type order by g.email_type;
end
$$;
comment on function public.email_hand_back() is
'The way back to the application''s own sender: switches the hand-over off, and makes jobs of its own of the letters that wait and that it would have scheduled itself. Answers how many, by type. Stop the sidecars first.';
revoke all on function public.email_hand_back() from public;

select public.email_grant('execute on function public.email_take_jobs(), public.email_handover_pending(), public.email_handover_move(uuid[]), public.email_hand_back()', 'email_admin');

-- Why nothing could be measured (23_verdicts.sql): never job_metadata, which holds a secret.
select public.email_grant(format('select (%s) on public.scheduled_jobs', string_agg(quote_ident(a.attname), ', ')), 'email_worker')
from pg_catalog.pg_attribute a
where a.attrelid = 'public.scheduled_jobs'::regclass and not a.attisdropped
and a.attname in ('deployment_id', 'job_type', 'status', 'scheduled_at', 'last_error')
having count(*) > 0;
