-- squawk-ignore-file ban-drop-constraint
-- Purpose: the nine CHECK constraints of email_outbox become one.  Postgres reads and plans the text of each anew in every
-- statement that writes the table, which was 40 per cent of inserting one row; now that text is a function call.
-- Locks: email_outbox exclusively, for a moment.  The new constraint is not validated: what is there was checked by the old ones.
-- Safe while an older binary runs: yes.
set local lock_timeout = '2s';
set local statement_timeout = '60s';

-- It runs with the rights of whoever writes the table, who needs EXECUTE on it as on email_now(), the default of created_at.
create function public.email_outbox_sound(
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

select public.email_grant(
    'execute on function public.email_outbox_sound(text, jsonb, text, text, text, integer, integer, timestamptz, text, timestamptz, uuid, integer, timestamptz)', r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name);

alter table public.email_outbox
    drop constraint email_outbox_dedupe_key_length,
    drop constraint email_outbox_payload_object,
    drop constraint email_outbox_attempts_not_negative,
    drop constraint email_outbox_status_known,
    drop constraint email_outbox_sending_is_leased,
    drop constraint email_outbox_ended_has_finished_at,
    drop constraint email_outbox_suppressed_has_reason,
    drop constraint email_outbox_failed_has_error,
    drop constraint email_outbox_retry_only_queued,
    add constraint email_outbox_sound check (public.email_outbox_sound(
        dedupe_key, payload, status, reason, last_error, attempts, claims, retry_at, locked_by, locked_until, batch_id, batch_position, finished_at
    )) not valid;
comment on constraint email_outbox_sound on public.email_outbox is 'See email_outbox_sound(): one function rather than nine expressions, which every statement would read anew.';
