-- What must hold of a row of email_outbox, whatever wrote it.
--
-- Before the tables: it is the CHECK of email_outbox.  A rule that becomes stricter does not look at rows that are there already.

-- It runs with the rights of whichever role writes the table: that role needs EXECUTE on it as on email_now(), the default of created_at.
create or replace function public.email_outbox_sound(
    dedupe_key text, payload jsonb, status text, reason text, last_error text, attempts integer, claims integer, retry_at timestamptz,
    locked_by text, locked_until timestamptz, batch_id uuid, batch_position integer, finished_at timestamptz
) returns boolean
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    broken text;
begin
    broken := case
        when length(dedupe_key) not between 1 and 255 then 'dedupe_key has 1 to 255 characters, not ' || length(dedupe_key)
        when jsonb_typeof(payload) <> 'object' then 'payload is a JSON object, not ' || jsonb_typeof(payload)
        when attempts < 0 or claims < 0 then 'attempts and claims are not negative'
        when status = 'sending' and (locked_by is null or locked_until is null or batch_id is null or batch_position is null)
            then 'a row that is being sent has locked_by, locked_until, batch_id and batch_position'
        when status <> 'sending' and (locked_by is not null or locked_until is not null)
            then 'only a row that is being sent has locked_by and locked_until'
        when status in ('queued', 'sending') and finished_at is not null then 'only a row that has ended has finished_at'
        when status in ('sent', 'failed', 'suppressed') and finished_at is null then 'a row that has ended has finished_at'
        when status not in ('queued', 'sending', 'sent', 'failed', 'suppressed')
            then format('status is queued, sending, sent, failed or suppressed, not %s', status)
        when status = 'suppressed' and reason is null then 'a row that is suppressed has a reason'
        when status = 'failed' and last_error is null and reason is null then 'a row that has failed has a last_error or a reason'
        when status <> 'queued' and retry_at is not null then 'only a row that waits has retry_at'
    end;
    if broken is null then
        return true;
    end if;
    raise exception 'email_outbox: % (key "%")', broken, left(dedupe_key, 60)
        using errcode = 'check_violation', schema = 'public', table = 'email_outbox', constraint = 'email_outbox_sound';
end
$$;
comment on function public.email_outbox_sound(text, jsonb, text, text, text, integer, integer, timestamptz, text, timestamptz, uuid, integer, timestamptz) is
'The CHECK of email_outbox: what must hold of a row whatever wrote it; the error says which rule it breaks.';
revoke all on function public.email_outbox_sound(text, jsonb, text, text, text, integer, integer, timestamptz, text, timestamptz, uuid, integer, timestamptz) from public;

select public.email_grant('execute on function public.email_outbox_sound(text, jsonb, text, text, text, integer, integer, timestamptz, text, timestamptz, uuid, integer, timestamptz)', 'email_worker');
select public.email_grant('execute on function public.email_outbox_sound(text, jsonb, text, text, text, integer, integer, timestamptz, text, timestamptz, uuid, integer, timestamptz)', 'email_admin');
