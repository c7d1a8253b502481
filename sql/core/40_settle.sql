-- Settling: what became of the members of one API request, fenced by batch and holder: a sidecar that lost its lease settles
-- nothing.  Only rows that are being sent have a holder, so nothing here asks for their status: that would lead to the index of
-- the leases, which an old snapshot keeps full of entries that vacuum cannot clear away.

create or replace function public.email_backoff(attempts integer, at_least interval default '0') returns interval
language sql
set search_path = pg_catalog, pg_temp
as $$
select greatest(at_least, least(interval '2 seconds' * power(2, least($1, 20)), interval '10 minutes') * random())
$$;
comment on function public.email_backoff(integer, interval) is
'How long a row waits after its nth failure: exponential from 2 seconds up to 10 minutes, full jitter, and never less than the provider asked for.';
revoke all on function public.email_backoff(integer, interval) from public;

-- Long, because each outcome is decided in one expression that both tables follow.
create or replace function public.email_settle(
    worker text,
    batch uuid,
    ids bigint[],
    outcomes text[],
    message_ids text[],
    errors text[],
    subjects text[],
    retry_after double precision[],
    pause_reason text default null,
    pause_until timestamptz default null,
    limited double precision default null,
    provider_limit double precision default null
) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
-- A session keeps its plans: one made while a table was empty would read all of it later, and be compiled for that each time.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
    instant constant timestamptz := public.email_now();
    sent public.email_batches;
    repeated boolean;
    settled integer;
    accepted bigint[];
    rejected bigint[];
    unknown boolean := false;
    keys text[];
    places integer[];
begin
    select b.* into sent from public.email_batches b where b.batch_id = batch;
    -- A provider that refuses a repetition before looking at its key says nothing about the request before it.
    repeated := coalesce(sent.attempt > 1, false);

    -- The pause is committed together with what it gives back.
    if pause_reason is not null then
        perform public.email_provider_refused(pause_reason, worker, pause_until);
    end if;

    -- Almost always all were taken: they have nothing to decide.  Both tables are asked for lists of keys, because a plan for a join
    -- may read all of a table that was empty when this session made it.
    if 'sent' = any(outcomes) then
        with work as (
            update public.email_outbox o set
                status = 'sent', claims = 0, last_error = null, retry_at = null, locked_by = null, locked_until = null, finished_at = instant
            where o.id = any(array(select a.id from unnest(ids, outcomes) as a (id, outcome) where a.outcome = 'sent'))
            and o.batch_id = batch and o.locked_by = worker
            returning o.id, o.dedupe_key, o.slot
        )
        select count(*), array_agg(w.id) filter (where w.slot is not null), array_agg(w.dedupe_key), array_agg(array_position(ids, w.id))
        into settled, accepted, keys, places
        from work w;
        update public.email_deliveries d set
            status = 'sent',
            provider_message_id = coalesce(message_ids[places[array_position(keys, d.dedupe_key::text)]], d.provider_message_id),
            error_message = null,
            payload_json = d.payload_json || jsonb_strip_nulls(jsonb_build_object('subject', subjects[places[array_position(keys, d.dedupe_key::text)]])),
            sent_at = instant
        where d.dedupe_key = any(keys);
    end if;

    if 'sent' <> any(outcomes) then
        with settling as (
            select o.id, o.email_type, o.attempts, o.dedupe_key, o.user_id, a.outcome, a.message_id, a.error, a.subject,
                o.attempts + (a.outcome in ('transient', 'server_error', 'permanent', 'address'))::integer as attempts_now,
                make_interval(secs => coalesce(a.wait_seconds, 0)) as wait,
                case
                    when a.outcome = 'conflict' and repeated then 'sent'
                    when a.outcome in ('permanent', 'address', 'lost', 'conflict') then 'failed'
                    when a.outcome in ('transient', 'server_error') and o.attempts + 1 >= t.max_attempts
                        and not (a.outcome = 'server_error' and coalesce(sent.recovery = 'search', false)) then 'failed'
                    when a.outcome = 'missing' and o.attempts >= t.max_attempts then 'failed'
                    when a.outcome = 'missing' then 'queued'
                    when a.outcome in ('transient', 'refused', 'released') then case when repeated then 'sending' else 'queued' end
                    when a.outcome = 'untouched' then case when sent.batch_id is not null then 'sending' else 'queued' end
                    when a.outcome in ('unknown', 'server_error', 'mismatch') then 'sending'
                end as status,
                a.outcome in ('lost', 'conflict', 'server_error') or (a.outcome = 'transient' and repeated) as doubtful
            from unnest(ids, outcomes, message_ids, errors, subjects, retry_after) as a (id, outcome, message_id, error, subject, wait_seconds)
            join public.email_outbox o on o.id = a.id
            join public.email_types t on t.code = o.email_type
            where a.outcome <> 'sent' and o.id = any(ids) and o.batch_id = batch and o.locked_by = worker
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
                    then clock_timestamp() + case
                        -- These are not counted, so the longer it has been due the longer it waits: up to a minute.
                        when h.outcome = 'refused' then public.email_backoff(1, greatest(h.wait, least((instant - o.run_at) / 8, interval '1 minute') * random()))
                        else public.email_backoff(h.attempts_now, h.wait)
                    end end,
                locked_by = case when h.status = 'sending' then o.locked_by end,
                locked_until = case when h.status = 'sending' then greatest(
                    clock_timestamp() + h.wait,
                    case
                        -- Nothing to ask: the lease is what keeps a letter from going out twice in a row.
                        when sent.recovery = 'again' then o.locked_until
                        when sent.recovery = 'search' then public.email_next_look(sent.last_sent_at, sent.in_flight_until, sent.patience)
                        when h.outcome = 'server_error' then clock_timestamp() + greatest(interval '1 second', public.email_backoff(h.attempts_now))
                        -- Asked again soon, by the sidecar that comes first, then ever more rarely.
                        else clock_timestamp() + greatest(interval '1 second', least((clock_timestamp() - sent.first_sent_at) / 2, interval '10 minutes'))
                    end) end,
                batch_id = case when h.status = 'queued' then null else o.batch_id end,
                batch_position = case when h.status = 'queued' then null else o.batch_position end,
                claimed_at = case when h.status = 'queued' then null else o.claimed_at end,
                batch_attempts = case when h.status = 'queued' then null else o.batch_attempts end,
                finished_at = case when h.status in ('sent', 'failed') then instant end
            from settling h
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
                sent_at = case when h.status = 'sent' then instant end
            from settling h
            where d.dedupe_key = any(array(select x.dedupe_key from settling x)) and d.dedupe_key = h.dedupe_key
            returning d.payload_json ->> 'to_email' as to_email, h.outcome
        ),
        suppressed as (
            insert into public.email_suppressions (email, reason, source)
            select distinct on (lower(j.to_email)) j.to_email, 'bounced', 'provider rejected the address'
            from journal j
            where j.outcome = 'address' and j.to_email is not null
            order by lower(j.to_email)
            on conflict (lower(email)) do nothing
        )
        select count(*) + coalesce(settled, 0),
            coalesce(accepted, '{}') || array_agg(w.id) filter (where w.status = 'sent'),
            array_agg(w.id) filter (where w.status = 'failed' and w.reason is distinct from 'unknown outcome'),
            bool_or(w.status = 'sending')
        into settled, accepted, rejected, unknown
        from work w;
    end if;

    if settled > 0 then
        update public.email_batches b set
            state = case when unknown then 'unknown' else 'settled' end,
            settled_at = case when unknown then null else clock_timestamp() end
        where b.batch_id = batch;
    end if;
    perform public.email_slots_settle(accepted, rejected);

    -- Any answer about a message means that the account is taken again.
    if outcomes && array['sent', 'permanent', 'address'] then
        perform public.email_provider_relented(worker);
    end if;
    if limited is not null then
        perform public.email_slow_down(sent.provider, limited);
    end if;
    if provider_limit is not null then
        perform public.email_note_limit(sent.provider, provider_limit);
    end if;
    return coalesce(settled, 0);
end
$$;
comment on function public.email_settle(text, uuid, bigint[], text[], text[], text[], text[], double precision[], text, timestamptz, double precision, double precision) is
'Records the outcomes of one batch. sent. transient (an attempt is spent), refused and released (none is) wait in the queue again; of a repeated request they tell nothing, so it stays claimed. permanent and address end failed, the latter also suppresses the address. unknown, server_error (an attempt is spent) and mismatch stay claimed until the provider is asked again; untouched was not sent this time. missing: the provider does not have it, back to the queue. conflict: recorded under the same key: sent when it was a repetition, else lost, which is failed as unknown outcome. pause_reason pauses everything; limited (seconds) slows the fleet down; provider_limit is what the provider''s header says. Answers how many rows it still held.';
revoke all on function public.email_settle(text, uuid, bigint[], text[], text[], text[], text[], double precision[], text, timestamptz, double precision, double precision) from public;

-- Evidence from elsewhere --------------------------------------------------------------------------------------------------
-- A webhook about a letter whose answer was lost is the answer: order of evidence is webhook or search hit, then response.
create or replace function public.email_settle_unknown(delivery_id uuid, provider_message_id text, occurred_at timestamptz) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    key text;
    ids bigint[];
begin
    update public.email_deliveries d set
        status = 'sent',
        provider_message_id = coalesce($2, d.provider_message_id),
        error_message = null,
        payload_json = d.payload_json - 'reason',
        sent_at = coalesce($3, public.email_now())
    where d.id = $1
    and (d.status = 'queued' or (d.status = 'failed' and d.payload_json ->> 'reason' = 'unknown outcome'))
    returning d.dedupe_key into key;
    if not found then
        return false;
    end if;
    -- Also a row that waits to be sent again: an earlier attempt has arrived.
    with ended as (
        update public.email_outbox o set
            status = 'sent', reason = null, last_error = null, retry_at = null, locked_by = null, locked_until = null,
            finished_at = coalesce(o.finished_at, public.email_now())
        where o.dedupe_key = key and o.status in ('sending', 'queued', 'failed')
        returning o.id
    )
    select array_agg(e.id) into ids from ended e;
    perform public.email_slots_settle(ids, null);
    return true;
end
$$;
comment on function public.email_settle_unknown(uuid, text, timestamptz) is
'Settles a letter whose outcome is not known yet, or was given up as unknown outcome, as sent, because the provider''s webhook says that it has it. Answers whether there was something to settle.';
revoke all on function public.email_settle_unknown(uuid, text, timestamptz) from public;
select public.email_grant('execute on function public.email_settle_unknown(uuid, text, timestamptz)', 'email_worker');

create or replace function public.email_extend_lease(worker text, batch uuid, lease interval) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    extended integer;
begin
    update public.email_outbox o set locked_until = clock_timestamp() + lease
    where o.id = any(array(select unnest(b.members) from public.email_batches b where b.batch_id = batch))
    and o.batch_id = batch and o.locked_by = worker;
    get diagnostics extended = row_count;
    return extended;
end
$$;
comment on function public.email_extend_lease(text, uuid, interval) is
'Renews the lease of a batch while its request is in flight; answers how many rows it still held.';
revoke all on function public.email_extend_lease(text, uuid, interval) from public;

select public.email_grant('execute on function public.email_backoff(integer, interval), public.email_settle(text, uuid, bigint[], text[], text[], text[], text[], double precision[], text, timestamptz, double precision, double precision), public.email_extend_lease(text, uuid, interval)', 'email_worker');
