-- What people do with single rows of the queue, and with the catalogue as a whole.  SECURITY DEFINER where the journal is
-- changed: no role but the owner of these functions may.

-- Cancelling ---------------------------------------------------------------------------------------------------------------
-- Waits for a claim that has the row at this moment: afterwards it is either queued, and ends here, or being sent.
create or replace function public.email_cancel(id bigint, reason text default null) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    why constant text := coalesce(nullif(btrim($2), ''), 'cancelled');
    row_status text;
begin
    select o.status into row_status from public.email_outbox o where o.id = $1 for update;
    if not found then
        raise exception 'no row % in the outbox', $1
            using hint = 'Rows that ended leave it after a while; select * from public.email_explain(' || $1 || ') looks into the journal too.';
    end if;
    if row_status = 'queued' then
        perform public.email_suppress(array[$1], why);
        return 'suppressed: ' || why;
    end if;
    if row_status = 'sending' then
        update public.email_outbox o set end_as = why where o.id = $1;
        return 'being sent: suppressed instead of tried again, should the provider not have accepted it';
    end if;
    return 'too late: ' || row_status;
end
$$;
comment on function public.email_cancel(bigint, text) is
'Ends one letter: suppressed for this reason (null: cancelled). One that is being sent is only ended when the provider turns out not to have accepted it. Answers in words what was done.';
revoke all on function public.email_cancel(bigint, text) from public;

-- What was asked while a row was being sent is done once its outcome is known.
create or replace function public.email_outbox_settled() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if new.status = 'queued' then
        perform public.email_suppress(array[new.id], new.end_as);
    end if;
    if new.end_as = 'forgotten' then
        perform public.email_erase_letters(array[new.id]);
    end if;
    return null;
end
$$;
comment on function public.email_outbox_settled() is
'After a row that was to be cancelled or forgotten while it was being sent has its outcome: back in the queue it is suppressed instead; a forgotten one is erased in any case.';
revoke all on function public.email_outbox_settled() from public;

create or replace trigger email_outbox_settled after update of status on public.email_outbox
for each row when (old.status = 'sending' and new.status <> 'sending' and new.end_as is not null)
execute function public.email_outbox_settled();

-- Trying again ---------------------------------------------------------------------------------------------------------------
-- Attempts are counted anew, but never as before: their number is part of the request's idempotency key.
create or replace function public.email_requeue(ids bigint[]) returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    requeued integer;
begin
    with again as (
        update public.email_outbox o set
            status = 'queued', reason = null, end_as = null, claims = 0, finished_at = null, retry_at = null,
            run_at = public.email_now(), batch_id = null, batch_position = null, claimed_at = null, batch_attempts = null
        where o.id in (select q.id from public.email_outbox q where q.id = any(ids) and q.status in ('failed', 'suppressed') order by q.id for update)
        returning o.id, o.dedupe_key
    ),
    -- A suppressed key would decide that it is a duplicate.
    reopened as (
        update public.email_deliveries d set status = 'failed', error_message = 'to be tried again (email_retry)'
        from again a
        where d.dedupe_key = a.dedupe_key and d.outbox_id = a.id and d.status = 'suppressed'
    )
    select count(*) into requeued from again;
    if requeued > 0 and (select s.notify from public.email_settings s) then
        perform pg_notify('email_outbox', '');
    end if;
    return requeued;
end
$$;
comment on function public.email_requeue(bigint[]) is
'Puts rows that failed or were suppressed back into the queue, due now; due_at, from which they expire, stays. Answers how many. email_retry and email_retry_failed decide which.';
revoke all on function public.email_requeue(bigint[]) from public;

create or replace function public.email_retry(id bigint, even_if_unknown boolean default false) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    it record;
begin
    select o.status, o.reason, o.run_at, o.due_at, o.retry_at, o.due_at + t.expires_after as expires_at into it
    from public.email_outbox o
    join public.email_types t on t.code = o.email_type
    where o.id = $1
    for update of o;
    if not found then
        raise exception 'no row % in the outbox', $1
            using hint = 'Rows that ended leave it after a while; select * from public.email_explain(' || $1 || ') looks into the journal too.';
    end if;
    if it.status in ('sending', 'sent') then
        return 'nothing to do: ' || it.status;
    end if;
    if it.status = 'failed' and it.reason = 'unknown outcome' and not even_if_unknown then
        raise exception 'nobody knows whether the provider accepted row %', $1
            using hint = 'If you do know that it did not arrive: select public.email_retry(' || $1 || ', even_if_unknown => true)';
    end if;
    if it.status = 'queued' then
        update public.email_outbox o set retry_at = null, run_at = greatest(o.due_at, public.email_now()), reason = null where o.id = $1;
        perform pg_notify('email_outbox', '') where (select s.notify from public.email_settings s);
    else
        perform public.email_requeue(array[$1]);
    end if;
    return case
        when it.due_at > public.email_now() then 'waits for ' || public.email_instant(it.due_at)
        when it.expires_at <= public.email_now() then 'due now, but it expired at ' || public.email_instant(it.expires_at) || ': it will be suppressed'
        else 'due now'
    end;
end
$$;
comment on function public.email_retry(bigint, boolean) is
'Tries one letter again now, whether it failed, was suppressed or waits; every gate is asked again. One whose outcome is unknown is only tried again when even_if_unknown says so: it may arrive twice. Answers in words what was done.';
revoke all on function public.email_retry(bigint, boolean) from public;

create or replace function public.email_retry_failed(email_type text default null, since timestamptz default '-infinity') returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return public.email_requeue(array(
        select o.id from public.email_outbox o
        where o.status = 'failed' and o.finished_at >= since and o.reason is distinct from 'unknown outcome'
        and ($1 is null or o.email_type = $1)
    ));
end
$$;
comment on function public.email_retry_failed(text, timestamptz) is
'Tries all letters of one code (null: of all) again that failed since then, save those whose outcome is unknown; every gate is asked again. Answers how many.';
revoke all on function public.email_retry_failed(text, timestamptz) from public;

-- Phases ------------------------------------------------------------------------------------------------------------------
create or replace function public.email_enable_phase(n integer) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    update public.email_types t set enabled = t.phase <= n where t.enabled <> (t.phase <= n);
    return (select count(*) from public.email_types t where t.enabled);
end
$$;
comment on function public.email_enable_phase(integer) is
'Enables the kinds of email of the phases up to n and disables the others (what they have queued is suppressed); answers how many are enabled now.';
revoke all on function public.email_enable_phase(integer) from public;

select public.email_grant(g.privileges, 'email_admin')
from (values
    ('execute on function public.email_cancel(bigint, text), public.email_retry(bigint, boolean), public.email_retry_failed(text, timestamptz), public.email_enable_phase(integer)')
) g (privileges);
