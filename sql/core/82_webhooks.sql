-- What providers report about letters and addresses: one event at a time, each once, in any order.
--
-- The sidecar checks that a report is genuine and translates it into our words; everything it causes is decided here.
-- SECURITY DEFINER: its role may call email_record_event and needs no right to write events, suppressions or preferences.
-- lock_timeout: the provider tries again, so a report would rather fail than wait.

-- Machines ---------------------------------------------------------------------------------------------------------------
-- Prefetchers open everything, and link scanners click everything.  Apple's mail privacy proxy names itself with the bare
-- "Mozilla/5.0".  The image proxies of Gmail and Yahoo are not machines by themselves: a person opening the letter makes them
-- fetch; when they fetch ahead of anybody, the time gives them away (email_record_event).
create or replace function public.email_is_machine(user_agent text) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
select coalesce(
    btrim(user_agent) = 'Mozilla/5.0'
    or user_agent ~* '(bot|crawl|spider|scan|preview|prefetch|monitor|curl/|wget/|python|java/|okhttp|go-http|axios|headless|barracuda|mimecast|proofpoint|symantec|bitdefender|trendmicro|cloudmark|fireeye|safelinks|skypeuri|slackbot|ms-office existence|microsoft office existence)',
    false)
$$;
comment on function public.email_is_machine(text) is
'Whether an open or click with this user agent was made by a prefetcher or scanner and not by a person.';
revoke all on function public.email_is_machine(text) from public;

-- Consent ------------------------------------------------------------------------------------------------------------------
create or replace function public.email_user_of_address(address text) returns uuid
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    -- As it is written, or as applications keep it: both find the application's own unique index.
    return (select u.id from public.users u where u.email in (address, lower(address)) order by u.email = address desc limit 1);
end
$$;
comment on function public.email_user_of_address(text) is 'The user with this address; null when there is none.';
revoke all on function public.email_user_of_address(text) from public;

-- Consent is a person's, so what counts is who got the letter, as at the claim (email_gates): a copy to a mere address is no user's.
create or replace function public.email_may_track(delivery uuid) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    letter record;
    person uuid;
begin
    select d.user_id, d.project_id, d.payload_json ->> 'to_email' as address into letter
    from public.email_deliveries d join public.email_types t on t.code = d.email_type
    where d.id = delivery and t.category <> 'security';
    if letter.address is null then
        return false;
    end if;
    person := coalesce(public.email_user_of_address(letter.address), (
        select c.user_id from public.email_project_contacts c
        where c.project_id = letter.project_id and c.user_id = letter.user_id and lower(c.email) = lower(letter.address)
        limit 1
    ));
    return exists (select from public.email_preferences p where p.user_id = person and p.tracking_consent);
end
$$;
comment on function public.email_may_track(uuid) is
'Whether opens and clicks of this letter may be recorded: it is not security mail, and the person it went to has an account and consented.';
revoke all on function public.email_may_track(uuid) from public;

-- Addresses ----------------------------------------------------------------------------------------------------------------
create or replace function public.email_note_address(provider text, address text, state text, owner uuid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    was_in boolean := false;
    restores boolean;
begin
    if state in ('reactivated', 'resubscribed') then
        with lifted as (
            delete from public.email_suppressions s
            where lower(s.email) = lower(address)
            and (split_part(s.source, ';', 1) = provider or s.source = 'provider rejected the address')
            -- What a person asked for is taken back by that person only.
            and (s.reason <> 'unsubscribed' or state = 'resubscribed')
            returning s.source
        )
        select bool_or(split_part(l.source, '; ', 2) = 'marketing_opt_in was true') into restores from lifted l;
        if restores then
            update public.email_preferences p set marketing_opt_in = true, updated_at = public.email_now() where p.user_id = owner;
        end if;
        return;
    end if;
    if state = 'unsubscribed' and owner is not null then
        insert into public.email_preferences as p (user_id) values (owner)
        on conflict (user_id) do update set user_id = excluded.user_id
        returning p.marketing_opt_in into was_in;
        if was_in then
            update public.email_preferences p set marketing_opt_in = false, updated_at = public.email_now() where p.user_id = owner;
        end if;
    end if;
    insert into public.email_suppressions as s (email, reason, source)
    values (address, state, provider || case when was_in then '; marketing_opt_in was true' else '' end)
    on conflict (lower(email)) do update set reason = excluded.reason, source = excluded.source, created_at = excluded.created_at
    -- Only what stops more, or weighs more, replaces what is known.
    where array_position(array['unsubscribed', 'complained', 'bounced', 'manual'], s.reason)
        < array_position(array['unsubscribed', 'complained', 'bounced', 'manual'], excluded.reason)
    and s.reason not in ('bounced', 'manual');
end
$$;
comment on function public.email_note_address(text, text, text, uuid) is
'Takes over what a provider says about an address: bounced, complained, manual and unsubscribed add a suppression (the last one also ends the user''s marketing_opt_in); reactivated lifts what this provider had added, resubscribed also the recipient''s own opt-out there.';
revoke all on function public.email_note_address(text, text, text, uuid) from public;

-- One event ----------------------------------------------------------------------------------------------------------------
create or replace function public.email_record_event(
    provider text,
    event_id text,
    event_type text,
    occurred_at timestamptz,
    delivery_id uuid,
    message_id text,
    address text,
    address_state text,
    details jsonb
) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
#variable_conflict use_variable
declare
    letter record;
    facts jsonb := coalesce(details, '{}') - 'user_agent';
    -- The provider's clock is a real one: what moves ours in a test moves its report too.
    happened timestamptz := least(coalesce(occurred_at, now()), now()) + (public.email_now() - now());
    whose text := address;
    owner uuid;
begin
    select d.id, d.user_id, d.dedupe_key, d.status, d.payload_json into letter
    from public.email_deliveries d where d.id = delivery_id;
    if not found then
        -- Of the application's own sender: what we send carries its delivery id.  By time, because an index over the message's id would
        -- have to be written at every settlement; providers keep letters for at most 45 days (docs/providers.md#postmark-search).
        select d.id, d.user_id, d.dedupe_key, d.status, d.payload_json into letter
        from public.email_deliveries d
        where message_id is not null and d.created_at > public.email_now() - interval '46 days' and d.provider is null and d.provider_message_id = message_id
        order by d.created_at desc
        limit 1;
    end if;

    if letter.id is not null and event_type is not null then
        if event_type in ('opened', 'clicked') then
            if not public.email_may_track(letter.id) then
                return 'not tracked';
            end if;
            if public.email_is_machine(details ->> 'user_agent') or exists (
                select from public.email_events e
                where e.email_delivery_id = letter.id and e.event_type = 'delivered' and happened < e.occurred_at + interval '2 seconds'
            ) then
                facts := facts || '{"machine": true}';
            end if;
        end if;
        insert into public.email_events (email_delivery_id, event_type, occurred_at, provider_event_id, details)
        values (letter.id, event_type, happened, event_id, facts)
        on conflict (provider_event_id) do nothing;
        if not found then
            return 'duplicate';
        end if;
        if event_type = 'delivered' then
            update public.email_events e set details = e.details || '{"machine": true}'
            where e.email_delivery_id = letter.id and e.event_type in ('opened', 'clicked') and e.occurred_at < happened + interval '2 seconds';
        end if;
        -- Whatever happened to a letter, the provider has it.
        if letter.status = 'queued' or letter.payload_json ->> 'reason' = 'unknown outcome' then
            -- In the order in which settling locks.
            perform 1 from public.email_outbox o where o.dedupe_key = letter.dedupe_key for no key update;
            perform public.email_settle_unknown(letter.id, message_id, happened);
        end if;
        if event_type in ('failed', 'suppressed') then
            update public.email_deliveries d set
                status = event_type,
                sent_at = null,
                error_message = case when event_type = 'failed' then coalesce(facts ->> 'reason', 'the provider could not send it') else d.error_message end,
                payload_json = d.payload_json || jsonb_build_object('reason', coalesce(facts ->> 'reason', 'the provider did not send it'))
            where d.id = letter.id and d.status = 'sent';
        end if;
    end if;

    if address_state is not null then
        if letter.id is not null then
            -- The journal knows whom it was for; nothing is kept about a user who was forgotten.
            whose := letter.payload_json ->> 'to_email';
        end if;
        owner := public.email_user_of_address(whose);
        -- Nor about strangers: an account may send for others too.
        if whose ~ '^[^@[:space:]]+@[^@[:space:]]+$' and not exists (select from public.email_forgotten f where f.user_id = owner) and (
            letter.id is not null or owner is not null
            or exists (select from public.email_project_contacts c where lower(c.email) = lower(whose))
            or exists (select from public.email_suppressions s where lower(s.email) = lower(whose))
        ) then
            perform public.email_note_address(provider, whose, address_state, owner);
            if letter.id is null or event_type is null then
                return 'address noted';
            end if;
        end if;
    end if;
    return case
        when letter.id is null then 'unknown delivery'
        when event_type is null then 'nothing to record'
        else 'stored'
    end;
end
$$;
comment on function public.email_record_event(text, text, text, timestamptz, uuid, text, text, text, jsonb) is
'Records one report of a provider, found by our delivery id or else by its message id, once per event_id. event_type null: it is about an address only. address_state: bounced, complained, manual, unsubscribed, reactivated, resubscribed or null. Answers stored, duplicate, not tracked, address noted, nothing to record or unknown delivery; an error means it must be reported again.';
revoke all on function public.email_record_event(text, text, text, timestamptz, uuid, text, text, text, jsonb) from public;

select public.email_grant(
    'execute on function public.email_record_event(text, text, text, timestamptz, uuid, text, text, text, jsonb)', 'email_worker');
