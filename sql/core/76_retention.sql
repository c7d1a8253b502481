-- What is kept for how long.  email_settings says it, three schedules do it in batches; each takes what is oldest and leaves
-- the rest to its next run.  SECURITY DEFINER: a sidecar runs them and may delete nothing itself.

-- The outbox -----------------------------------------------------------------------------------------------------------
-- A key must be remembered before its row may go: whatever ended without the journal gets its line there first.
create or replace function public.email_cleanup() returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    batch constant integer := 20000;
    removed integer;
begin
    with settings as (
        select public.email_now() - s.retention_sent as sent_before, public.email_now() - s.retention_failed as failed_before
        from public.email_settings s
    ),
    old as materialized (
        select o.id
        from public.email_outbox o cross join settings s
        where o.finished_at < greatest(s.sent_before, s.failed_before)
        and o.finished_at < case when o.status = 'failed' then s.failed_before else s.sent_before end
        order by o.finished_at
        limit batch
        for update of o skip locked
    ),
    gone as (
        delete from public.email_outbox o using old where o.id = old.id
        returning o.*
    ),
    remembered as (
        insert into public.email_deliveries (user_id, project_id, email_type, dedupe_key, status, payload_json, error_message, created_at, outbox_id)
        select g.user_id, g.project_id, g.email_type, g.dedupe_key, g.status,
            jsonb_strip_nulls(jsonb_build_object('reason', g.reason)), g.last_error, g.finished_at, g.id
        from gone g
        where g.status <> 'sent'
        on conflict (dedupe_key) do nothing
    )
    select count(*) into removed from gone;

    delete from public.email_trigger_errors e
    where e.id in (
        select r.id from public.email_trigger_errors r
        where r.replayed_at < public.email_now() - (select s.retention_failed from public.email_settings s)
        order by r.id
        limit batch
        for update skip locked
    );
    perform public.email_cleanup_batches();
    -- A recipient who has had no capped letter for so long holds no slot any more; taking the slot makes the row anew.
    delete from public.email_marketing_slots h
    where (h.recipient, h.category) in (
        select m.recipient, m.category from public.email_marketing_slots m
        where m.last_at < public.email_now() - (select greatest(2 * s.marketing_cooldown, s.retention_failed) from public.email_settings s)
        limit batch
        for update skip locked
    );
    return removed;
end
$$;
comment on function public.email_cleanup() is
'Removes up to 20,000 outbox rows that ended longer ago than email_settings.retention_sent (sent, suppressed) or retention_failed (failed), and as many trigger errors that were made up for as long ago and slots of the cap that nobody has taken for as long. The journal stays. Answers how many outbox rows went.';
revoke all on function public.email_cleanup() from public;

-- What webhooks reported -------------------------------------------------------------------------------------------------
-- In the order of arrival, which needs no index: an event does not arrive before it happened.
create or replace function public.email_cleanup_events() returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    batch constant integer := 20000;
    removed integer;
begin
    delete from public.email_events e
    using (
        select o.id, o.occurred_at from public.email_events o
        order by o.id
        limit batch
    ) oldest
    where e.id = oldest.id
    and oldest.occurred_at < public.email_now() - (select s.retention_events from public.email_settings s);
    get diagnostics removed = row_count;
    return removed;
end
$$;
comment on function public.email_cleanup_events() is
'Removes those of the 20,000 oldest email_events that happened longer ago than email_settings.retention_events; answers how many.';
revoke all on function public.email_cleanup_events() from public;

-- What is personal --------------------------------------------------------------------------------------------------------
-- Goes through the journal and the signals from the oldest on and remembers how far it came: what was erased is never read
-- again, however long the journal gets.  A signal keeps the keys that join it to other facts and to figures; all else goes,
-- also what this version does not know.
create or replace function public.email_erase_contexts() returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    batch constant integer := 20000;
    kept constant text[] := array['invitation_id', 'invoice_id', 'deployment_id', 'signal_id', 'feature', 'score', 'from', 'to', 'amount', 'currency'];
    since timestamptz;
    until timestamptz;
    letters integer;
    facts integer;
    letters_until timestamptz;
    facts_until timestamptz;
begin
    select s.context_erased_until, public.email_now() - s.retention_context into since, until
    from public.email_settings s;

    with old as materialized (
        select d.id, d.created_at
        from public.email_deliveries d
        where d.created_at >= since and d.created_at < until
        and (d.error_message is not null or d.payload_json - 'reason' <> '{}' or jsonb_typeof(d.payload_json) <> 'object')
        order by d.created_at
        limit batch
        for no key update
    ),
    erased as (
        update public.email_deliveries d set
            payload_json = jsonb_strip_nulls(jsonb_build_object('reason',
                case when jsonb_typeof(d.payload_json) = 'object' then d.payload_json -> 'reason' end)),
            error_message = null,
            -- Whose slot of the cap it took: the address of a recipient without an account.
            slot = case when d.slot like '%@%' then 'erased:' || d.id else d.slot end
        from old
        where d.id = old.id
        returning old.created_at
    )
    select count(*), max(e.created_at) into letters, letters_until from erased e;

    with old as materialized (
        select g.id, g.occurred_at
        from public.email_signals g
        where g.occurred_at >= since and g.occurred_at < until
        and g.payload - kept <> '{}'
        order by g.occurred_at
        limit batch
        for no key update
    ),
    erased as (
        update public.email_signals g set device = null, payload = (
            select coalesce(jsonb_object_agg(k.key, k.value), '{}') from jsonb_each(g.payload) k where k.key = any(kept)
        )
        from old
        where g.id = old.id
        returning old.occurred_at
    )
    select count(*), max(e.occurred_at) into facts, facts_until from erased e;

    -- One mark for both: not beyond what the table that filled its batch has reached.
    until := least(until, case when letters >= batch then letters_until end, case when facts >= batch then facts_until end);
    update public.email_settings s set context_erased_until = until
    where s.context_erased_until < until;
    return letters + facts;
end
$$;
comment on function public.email_erase_contexts() is
'Erases address, subject, context and error text of up to 20,000 letters in the journal, and the personal keys of as many email_signals, that are older than email_settings.retention_context. Keys, status, reason and times stay, so that no letter is ever sent twice. Answers how many rows it erased.';
revoke all on function public.email_erase_contexts() from public;

select public.email_grant('execute on function public.email_cleanup(), public.email_cleanup_events(), public.email_erase_contexts()', r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name);
