-- Settling: what became of the members of one API request, in one statement, fenced by batch and holder: a sidecar that
-- lost its lease settles nothing.

create or replace function public.email_backoff(attempts integer, at_least interval default '0') returns interval
language sql
set search_path = pg_catalog, pg_temp
as $$
select greatest(at_least, least(interval '2 seconds' * power(2, least($1, 20)), interval '10 minutes') * random())
$$;
comment on function public.email_backoff(integer, interval) is
'How long a row waits after its nth failure: exponential from 2 seconds up to 10 minutes, full jitter, and never less than the provider asked for.';
revoke all on function public.email_backoff(integer, interval) from public;

create or replace function public.email_settle(
    worker text,
    batch uuid,
    ids bigint[],
    outcomes text[],
    message_ids text[],
    errors text[],
    subjects text[],
    retry_after double precision[]
) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    settled integer;
    accepted bigint[];
    refused bigint[];
begin
    with answered as (
        select a.*
        from unnest(ids, outcomes, message_ids, errors, subjects, retry_after) as a (id, outcome, message_id, error, subject, wait_seconds)
    ),
    held as (
        select o.id, o.email_type, o.attempts, o.dedupe_key, o.user_id, a.outcome, a.message_id, a.error, a.subject,
            o.attempts + (a.outcome in ('transient', 'server_error', 'permanent', 'address'))::integer as attempts_now,
            make_interval(secs => coalesce(a.wait_seconds, 0)) as wait,
            case
                when a.outcome = 'sent' then 'sent'
                when a.outcome in ('permanent', 'address', 'lost') then 'failed'
                when a.outcome in ('transient', 'server_error') and o.attempts + 1 >= t.max_attempts then 'failed'
                when a.outcome in ('transient', 'refused', 'released') then 'queued'
                when a.outcome in ('unknown', 'server_error') then 'sending'
            end as status,
            a.outcome in ('lost', 'server_error') as doubtful
        from answered a
        join public.email_outbox o on o.id = a.id
        join public.email_types t on t.code = o.email_type
        where o.batch_id = batch and o.locked_by = worker and o.status = 'sending'
        for update of o
    ),
    work as (
        update public.email_outbox o set
            status = h.status,
            attempts = h.attempts_now,
            claims = 0,
            reason = case when h.doubtful and h.status = 'failed' then 'unknown outcome' else o.reason end,
            last_error = coalesce(h.error, case when h.status = 'sent' then null else o.last_error end),
            retry_at = case when h.outcome in ('transient', 'refused') and h.status = 'queued'
                then clock_timestamp() + public.email_backoff(case when h.outcome = 'refused' then 1 else h.attempts_now end, h.wait) end,
            locked_by = case when h.status = 'sending' then o.locked_by end,
            -- An unknown outcome is looked at again soon, by whoever comes first, then ever more rarely.
            locked_until = case when h.status = 'sending'
                then clock_timestamp() + greatest(h.wait, interval '1 second', least((clock_timestamp() - o.claimed_at) / 2, interval '10 minutes')) end,
            batch_id = case when h.status = 'queued' then null else o.batch_id end,
            batch_position = case when h.status = 'queued' then null else o.batch_position end,
            claimed_at = case when h.status = 'queued' then null else o.claimed_at end,
            batch_attempts = case when h.status = 'queued' then null else o.batch_attempts end,
            finished_at = case when h.status in ('sent', 'failed') then public.email_now() end
        from held h
        where o.id = h.id
        returning o.id, o.status, o.reason
    ),
    journal as (
        update public.email_deliveries d set
            status = case when h.status = 'sending' then 'queued' else h.status end,
            provider_message_id = coalesce(h.message_id, d.provider_message_id),
            error_message = coalesce(h.error, case when h.status = 'sent' then null else d.error_message end),
            payload_json = d.payload_json
                || jsonb_strip_nulls(jsonb_build_object('subject', h.subject, 'reason', case when h.doubtful and h.status = 'failed' then 'unknown outcome' end)),
            sent_at = case when h.status = 'sent' then public.email_now() end
        from held h
        where d.dedupe_key = h.dedupe_key
        returning d.payload_json ->> 'to_email' as to_email, h.outcome
    ),
    suppressed as (
        insert into public.email_suppressions (email, reason, source)
        select distinct on (lower(j.to_email)) j.to_email, 'bounced', 'provider refused the address'
        from journal j
        where j.outcome = 'address' and j.to_email is not null
        order by lower(j.to_email)
        on conflict (lower(email)) do nothing
    )
    select count(*), array_agg(w.id) filter (where w.status = 'sent'),
        array_agg(w.id) filter (where w.status = 'failed' and w.reason is distinct from 'unknown outcome')
    into settled, accepted, refused
    from work w;
    perform public.email_slots_settle(accepted, refused);
    return settled;
end
$$;
comment on function public.email_settle(text, uuid, bigint[], text[], text[], text[], text[], double precision[]) is
'Records the outcomes of one batch: sent; transient (an attempt is spent) and refused (none is) wait in the queue again; permanent and address end failed, the latter also suppresses the address; lost is failed as unknown outcome; unknown and server_error (an attempt is spent) stay claimed until the provider was asked again; released goes back untouched. Answers how many rows it still held.';
revoke all on function public.email_settle(text, uuid, bigint[], text[], text[], text[], text[], double precision[]) from public;

create or replace function public.email_extend_lease(worker text, batch uuid, lease interval) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    extended integer;
begin
    update public.email_outbox o set locked_until = clock_timestamp() + lease
    where o.batch_id = batch and o.locked_by = worker and o.status = 'sending';
    get diagnostics extended = row_count;
    return extended;
end
$$;
comment on function public.email_extend_lease(text, uuid, interval) is
'Renews the lease of a batch while its request is in flight; answers how many rows it still held.';
revoke all on function public.email_extend_lease(text, uuid, interval) from public;

create or replace function public.email_provider_refused(why text) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
update public.email_settings set paused_at = public.email_now(), paused_reason = why where paused_at is null
$$;
comment on function public.email_provider_refused(text) is
'Stops everything because the provider refuses the whole account (bad key, quota, blocked); email_resume(null) starts again.';
revoke all on function public.email_provider_refused(text) from public;
