-- Forgetting a user: what is personal goes from every table of ours, the keys stay, so that nothing is ever sent again.

-- A letter's own traces, in the outbox, the journal and what webhooks told about it.
create or replace function public.email_erase_letters(ids bigint[]) returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    ready bigint[];
begin
    -- A request whose outcome is unknown is repeated whole: until then its members' contexts are needed, also those of members
    -- that are settled.  Once it is settled, email_batches_forget comes back for them.
    update public.email_batches b set forget = true
    where b.state <> 'settled' and b.batch_id in (select o.batch_id from public.email_outbox o where o.id = any(ids));
    select array_agg(o.id) into ready
    from public.email_outbox o
    where o.id = any(ids) and o.status <> 'sending'
    and not exists (select from public.email_batches b where b.batch_id = o.batch_id and b.state <> 'settled');

    update public.email_outbox o set
        to_email = null, payload = '{}', slot = case when strpos(o.slot, '@') = 0 then o.slot end, last_error = case when o.last_error is not null then 'erased' end
    where o.id = any(ready);
    perform public.email_erase_journal(array(
        select d.id from public.email_outbox o join public.email_deliveries d on d.dedupe_key = o.dedupe_key where o.id = any(ready)
    ));
    return coalesce(cardinality(ready), 0);
end
$$;
comment on function public.email_erase_letters(bigint[]) is
'Erases what is personal about these outbox rows, here, in the journal and in the events; rows whose request is not settled yet follow when it is. Answers how many were erased now.';
revoke all on function public.email_erase_letters(bigint[]) from public;

create or replace function public.email_erase_journal(ids uuid[]) returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    erased integer;
begin
    update public.email_deliveries d set
        payload_json = case when d.payload_json ->> 'reason' is not null then jsonb_build_object('reason', d.payload_json -> 'reason') end,
        error_message = case when d.error_message is not null then 'erased' end,
        slot = case when strpos(d.slot, '@') = 0 then d.slot end
    where d.id = any(ids);
    get diagnostics erased = row_count;
    update public.email_events e set details = '{}' where e.email_delivery_id = any(ids) and e.details <> '{}';
    return erased;
end
$$;
comment on function public.email_erase_journal(uuid[]) is
'Erases what is personal about these letters of the journal and their events: status, reason, times and keys stay. Answers how many.';
revoke all on function public.email_erase_journal(uuid[]) from public;

create or replace function public.email_batches_forget() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform public.email_erase_letters(array(
        select o.id from public.email_outbox o where o.id = any(new.members) and o.end_as = 'forgotten'
    ));
    return null;
end
$$;
comment on function public.email_batches_forget() is 'After a request with members to be forgotten is settled: erases them.';
revoke all on function public.email_batches_forget() from public;

create or replace trigger email_batches_forget after update of state on public.email_batches
for each row when (new.forget and new.state = 'settled' and old.state <> 'settled')
execute function public.email_batches_forget();

-- Reads the journal once from end to end: letters to the user's address that carry another's user_id (invitations, copies) can
-- be found by that alone.
create or replace function public.email_forget_user(user_id uuid) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- As in email_erase_contexts: what joins facts to figures and says nothing about a person.
    kept constant text[] := array['invitation_id', 'invoice_id', 'deployment_id', 'signal_id', 'feature', 'score', 'from', 'to', 'amount', 'currency'];
    addresses text[];
    outbox_ids bigint[];
    in_flight bigint[];
    journal_ids uuid[];
    dropped integer;
begin
    if $1 is null then
        raise exception 'whom? user_id is null';
    end if;
    insert into public.email_forgotten (user_id) values ($1) on conflict do nothing;

    addresses := array(
        select distinct lower(a.email)
        from (
            select u.email from public.users u where u.id = $1
            union all
            select c.email from public.email_project_contacts c where c.user_id = $1
            union all
            -- Where their own letters went, should they have moved since.
            select d.payload_json ->> 'to_email' from public.email_deliveries d where d.user_id = $1 and d.slot = $1::text
        ) a
        where a.email is not null
    );

    -- Waits for claims that have one of them at this moment: a row is either queued afterwards, or being sent.
    outbox_ids := array(
        select o.id from public.email_outbox o
        where o.user_id = $1 or (o.to_email is not null and lower(o.to_email) = any(addresses))
        order by o.id
        for update
    );
    dropped := public.email_suppress(outbox_ids, 'forgotten');
    -- Being sent, or part of a request that may have to be repeated: erased when its outcome is known.
    update public.email_outbox o set end_as = 'forgotten'
    where o.id = any(outbox_ids)
    and (o.status = 'sending' or exists (select from public.email_batches b where b.batch_id = o.batch_id and b.state <> 'settled'));
    in_flight := array(select o.id from public.email_outbox o where o.id = any(outbox_ids) and o.end_as = 'forgotten');
    perform public.email_erase_letters(outbox_ids);

    journal_ids := array(
        select d.id from public.email_deliveries d
        where (d.user_id = $1 or lower(d.payload_json ->> 'to_email') = any(addresses))
        and (d.outbox_id is null or d.outbox_id <> all(in_flight))
    );
    perform public.email_erase_journal(journal_ids);

    update public.email_signals s set device = null, payload = (
        select coalesce(jsonb_object_agg(k.key, k.value), '{}') from jsonb_each(s.payload) k where k.key = any(kept)
    )
    where (s.user_id = $1 or lower(s.payload ->> 'invitee_email') = any(addresses) or lower(s.payload ->> 'email') = any(addresses)) and s.payload - kept <> '{}';
    -- The facts that were missed cause nothing any more.
    update public.email_trigger_errors e set
        row_data = null, error = split_part(e.error, ':', 1) || ': erased', replayed_at = coalesce(e.replayed_at, public.email_now())
    where strpos(e.row_data::text, $1::text) > 0 or strpos(e.error, $1::text) > 0
    or exists (select from unnest(addresses) a where strpos(lower(e.row_data::text), a) > 0 or strpos(lower(e.error), a) > 0);
    delete from public.email_preferences p where p.user_id = $1;
    delete from public.email_project_contacts c where c.user_id = $1 or lower(c.email) = any(addresses);
    delete from public.email_suppressions s where lower(s.email) = any(addresses);
    delete from public.email_marketing_slots s where s.recipient = any(addresses);

    return format('forgotten: %s queued letters dropped, %s letters of the journal erased%s', dropped, cardinality(journal_ids),
        case when cardinality(in_flight) > 0 then format(', %s more once it is known what became of them', cardinality(in_flight)) else '' end);
end
$$;
comment on function public.email_forget_user(uuid) is
'Erases a user''s address, name and contexts from every table of ours, drops what is queued, and sends nothing more, security included. Keys, status, reasons and times stay. What is being sent at this moment is erased when its outcome is known. Repeat it at will; the application''s own row is the application''s to erase. Answers in words what was done.';
revoke all on function public.email_forget_user(uuid) from public;

select public.email_grant('execute on function public.email_forget_user(uuid)', 'email_admin');
