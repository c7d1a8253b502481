-- Letters of which it is not known whether they went out: they are never sent blindly, so a person decides.

drop view if exists public.email_unknown_outcomes;
create view public.email_unknown_outcomes as
select
    d.id, d.email_type, d.user_id, d.project_id, d.created_at, d.outbox_id,
    case
        when d.outbox_id is null then 'the application''s own sender began it and never settled it'
        when d.status = 'queued' then 'claimed and never settled, and its outbox row is gone'
        else 'the provider could not tell any more'
    end as why
from public.email_deliveries d
left join public.email_outbox o on o.dedupe_key = d.dedupe_key
where (d.status = 'queued' and coalesce(o.status, '') not in ('queued', 'sending'))
or (d.status = 'failed' and d.payload_json ->> 'reason' = 'unknown outcome');
comment on view public.email_unknown_outcomes is
'Letters that may or may not have gone out. They are never sent blindly: look them up at the provider, then call email_resolve(id, was_sent).';
comment on column public.email_unknown_outcomes.id is 'email_deliveries.id, which the provider shows as tag or metadata "delivery"; letters of the application''s own sender carry no such mark.';
comment on column public.email_unknown_outcomes.email_type is 'As in email_deliveries.';
comment on column public.email_unknown_outcomes.user_id is 'The recipient''s user.';
comment on column public.email_unknown_outcomes.project_id is 'The project it is about; null when it is about none.';
comment on column public.email_unknown_outcomes.created_at is 'When it was begun.';
comment on column public.email_unknown_outcomes.outbox_id is 'The outbox row it came from; null for letters of the application''s own sender.';
comment on column public.email_unknown_outcomes.why is 'How it came about.';

create or replace function public.email_resolve(delivery uuid, was_sent boolean) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    letter record;
    again bigint;
begin
    select d.* into letter
    from public.email_deliveries d
    where d.id = delivery and d.id in (select u.id from public.email_unknown_outcomes u)
    for update;
    if not found then
        raise exception 'no letter of unknown outcome has the id %', delivery
            using hint = 'They are: select * from public.email_unknown_outcomes;', errcode = 'no_data_found';
    end if;
    if was_sent then
        perform public.email_settle_unknown(delivery, null, coalesce(letter.sent_at, letter.created_at));
        return 'recorded as sent';
    end if;
    update public.email_deliveries d set
        status = 'failed', provider_message_id = null, error_message = 'not sent, says ' || session_user, payload_json = d.payload_json - 'reason'
    where d.id = delivery;
    -- Its own row would make the key known.
    delete from public.email_outbox o where o.dedupe_key = letter.dedupe_key and o.status = 'failed';
    again := public.email_enqueue(letter.email_type, letter.user_id, letter.dedupe_key, letter.payload_json -> 'context',
        project_id => letter.project_id, to_email => letter.payload_json ->> 'to_email');
    return coalesce('enqueued again as ' || again, 'not enqueued: its type is disabled');
end
$$;
comment on function public.email_resolve(uuid, boolean) is
'What a person found out about a letter of unknown outcome: sent, then it is recorded so; not sent, then it is enqueued again under its key, with what it was to say. Answers what was done.';
revoke all on function public.email_resolve(uuid, boolean) from public;

select public.email_grant('select on public.email_unknown_outcomes', r.role_name)
from unnest(array['email_worker', 'email_reader', 'email_admin']) r (role_name);
select public.email_grant('execute on function public.email_resolve(uuid, boolean)', 'email_admin');
