-- What recipients say on the pages that letters link to: unsubscribe, preferences, the survey.
--
-- Everything goes by the token of the link, which is the whole authority: users' tokens stand in email_preferences, those of
-- contacts without an account in email_project_contacts.  SECURITY DEFINER: the sidecar's role may call these and needs no
-- right to write preferences, suppressions or signals.  lock_timeout: a page would rather be tried again than wait.

-- Whom a token belongs to ------------------------------------------------------------------------------------------------
create or replace function public.email_token_holder(token uuid) returns table (user_id uuid, address text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
select p.user_id, null::text from public.email_preferences p where p.unsubscribe_token = $1
union all
select c.user_id, case when c.user_id is null then c.email end from public.email_project_contacts c where c.unsubscribe_token = $1
limit 1
$$;
comment on function public.email_token_holder(uuid) is
'Whom the links with this token belong to: a user, or the address of a contact without an account. No row: no recipient has it.';
revoke all on function public.email_token_holder(uuid) from public;

-- A contact's opt-out, and a provider''s, is about the address (docs/rules.md#recipients).
create or replace function public.email_opted_out_address(address text) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
select exists (select from public.email_suppressions s where lower(s.email) = lower(address) and s.reason = 'unsubscribed')
$$;
comment on function public.email_opted_out_address(text) is
'Whether this address opted out of product and marketing as an address: a contact without an account, or at the provider.';
revoke all on function public.email_opted_out_address(text) from public;

-- Unsubscribing --------------------------------------------------------------------------------------------------------------
-- The link says which list it leaves, not which letter it stood in: the event goes to the newest letter of that list.
create or replace function public.email_note_unsubscribed(user_id uuid, categories text[]) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
insert into public.email_events (email_delivery_id, event_type, occurred_at, details)
select newest.id, 'unsubscribed', public.email_now(), jsonb_build_object('via', 'link', 'categories', to_jsonb($2))
from (
    select d.id
    from public.email_deliveries d
    join public.email_types t on t.code = d.email_type
    where d.user_id = $1 and t.category = any($2) and d.status = 'sent'
    -- Not a copy to another person.
    and coalesce(d.slot, $1::text) = $1::text
    order by d.sent_at desc nulls last, d.id
    limit 1
) newest
$$;
comment on function public.email_note_unsubscribed(uuid, text[]) is
'Records the event of an opt-out with the newest letter of these categories that the user was sent; nothing when there is none.';
revoke all on function public.email_note_unsubscribed(uuid, text[]) from public;

create or replace function public.email_unsubscribe(token uuid, category text default null) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
    holder record;
    before record;
    leaves_marketing boolean := category is null or category = 'marketing';
    leaves_product boolean := category is null or category = 'product';
    left_now text[];
begin
    if category not in ('product', 'marketing') then
        raise exception 'category "%" cannot be left', category
            using errcode = 'invalid_parameter_value', hint = 'product, marketing, or null for both; security and transactional mail always goes out.';
    end if;
    select h.user_id, h.address into holder from public.email_token_holder(token) h;
    if not found then
        return false;
    end if;
    if holder.user_id is null then
        -- A contact has one switch: the address is left alone, whichever list the link was about.
        insert into public.email_suppressions (email, reason, source)
        values (holder.address, 'unsubscribed', 'unsubscribe link')
        on conflict (lower(email)) do nothing;
        return true;
    end if;
    -- Made and locked here, so that of two requests at once only one counts as leaving.
    insert into public.email_preferences as p (user_id) values (holder.user_id)
    on conflict (user_id) do update set user_id = excluded.user_id
    returning p.marketing_opt_in, p.product_updates_opt_in into before;
    left_now := array_remove(array[
        case when leaves_marketing and before.marketing_opt_in then 'marketing' end,
        case when leaves_product and before.product_updates_opt_in then 'product' end
    ], null);
    if cardinality(left_now) > 0 then
        update public.email_preferences p set
            marketing_opt_in = p.marketing_opt_in and not leaves_marketing,
            product_updates_opt_in = p.product_updates_opt_in and not leaves_product,
            updated_at = public.email_now()
        where p.user_id = holder.user_id;
        perform public.email_note_unsubscribed(holder.user_id, left_now);
    end if;
    return true;
end
$$;
comment on function public.email_unsubscribe(uuid, text) is
'Opts the holder of a token out of product or marketing, or of both (null). What is queued is decided at its claim, retries included. Answers whether the token is known; doing it twice changes nothing.';
revoke all on function public.email_unsubscribe(uuid, text) from public;

-- Preferences ------------------------------------------------------------------------------------------------------------------
create or replace function public.email_preferences_of(token uuid)
returns table (is_user boolean, marketing boolean, product boolean, tracking boolean, timezone text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        h.user_id is not null,
        coalesce(p.marketing_opt_in, true) and not public.email_opted_out_address(coalesce(h.address, u.email)),
        coalesce(p.product_updates_opt_in, true) and not public.email_opted_out_address(coalesce(h.address, u.email)),
        coalesce(p.tracking_consent, false),
        coalesce(p.timezone, 'Europe/Paris')
    from public.email_token_holder(token) h
    left join public.email_preferences p on p.user_id = h.user_id
    left join public.users u on u.id = h.user_id;
end
$$;
comment on function public.email_preferences_of(uuid) is
'What holds for the holder of a token, as the preferences page shows it; is_user false: a contact without an account, who has one switch (marketing and product are the same). No row: nobody has this token.';
revoke all on function public.email_preferences_of(uuid) from public;

create or replace function public.email_set_preferences(token uuid, marketing boolean, product boolean, tracking boolean, timezone text)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
    holder record;
    before record;
    left_now text[];
    zone text := nullif(btrim(timezone), '');
begin
    select h.user_id, coalesce(h.address, u.email) as address into holder
    from public.email_token_holder(token) h left join public.users u on u.id = h.user_id;
    if not found then
        return false;
    end if;
    if holder.user_id is null and not (marketing or product) then
        insert into public.email_suppressions (email, reason, source)
        values (holder.address, 'unsubscribed', 'preferences page')
        on conflict (lower(email)) do nothing;
        return true;
    end if;
    -- Who asks to be written to again is no longer opted out as an address; bounces and complaints stay.
    if marketing or product then
        delete from public.email_suppressions s where lower(s.email) = lower(holder.address) and s.reason = 'unsubscribed';
    end if;
    if holder.user_id is null then
        return true;
    end if;
    -- A name that Postgres does not know would break every time that is computed with it.
    begin
        perform pg_catalog.timezone(zone, now());
    exception when invalid_parameter_value then
        zone := null;
    end;
    insert into public.email_preferences as p (user_id) values (holder.user_id)
    on conflict (user_id) do update set user_id = excluded.user_id
    returning p.marketing_opt_in, p.product_updates_opt_in into before;
    update public.email_preferences p set
        marketing_opt_in = marketing, product_updates_opt_in = product, tracking_consent = tracking,
        timezone = coalesce(zone, p.timezone), updated_at = public.email_now()
    where p.user_id = holder.user_id
    and (p.marketing_opt_in, p.product_updates_opt_in, p.tracking_consent, p.timezone)
        is distinct from (marketing, product, tracking, coalesce(zone, p.timezone));
    left_now := array_remove(array[
        case when before.marketing_opt_in and not marketing then 'marketing' end,
        case when before.product_updates_opt_in and not product then 'product' end
    ], null);
    if cardinality(left_now) > 0 then
        perform public.email_note_unsubscribed(holder.user_id, left_now);
    end if;
    return true;
end
$$;
comment on function public.email_set_preferences(uuid, boolean, boolean, boolean, text) is
'Records the choices of the preferences page; a time zone Postgres does not know keeps the old one. A contact without an account has one switch: opted out when marketing and product are both false. Answers whether the token is known.';
revoke all on function public.email_set_preferences(uuid, boolean, boolean, boolean, text) from public;

-- The survey -------------------------------------------------------------------------------------------------------------------
-- The first answer to a survey counts: the page asks before it records, and what E-ADV-02 and the KPIs were told stays true.
create or replace function public.email_answer_nps(token uuid, score integer, comment text default null) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
    asked uuid := (select p.user_id from public.email_preferences p where p.unsubscribe_token = token);
    survey text;
begin
    if score not between 0 and 10 or score is null then
        raise exception 'score % is not from 0 to 10', score using errcode = 'invalid_parameter_value';
    end if;
    if asked is null then
        return 'unknown';
    end if;
    -- The newest survey; a user who has the link without one (a letter of the application's own) answers the one to come.
    survey := coalesce(
        (
            select d.dedupe_key from public.email_deliveries d
            where d.user_id = asked and d.email_type = 'E-ADV-01' and d.status <> 'suppressed'
            order by d.created_at desc, d.id
            limit 1
        ),
        format('nps_survey:%s:30d', asked));
    if public.email_signal('nps_answered', asked, null,
        jsonb_strip_nulls(jsonb_build_object('score', score, 'comment', nullif(btrim(left(comment, 1000)), ''))),
        null, 'nps_answered:' || survey) is null
    then
        return 'answered before';
    end if;
    return 'recorded';
end
$$;
comment on function public.email_answer_nps(uuid, integer, text) is
'Records the answer to the newest survey a user was sent, as a signal nps_answered: recorded; answered before (the first answer stays); unknown (no user has this token).';
revoke all on function public.email_answer_nps(uuid, integer, text) from public;

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_unsubscribe(uuid, text)')
) g (privileges);
select public.email_grant(
    'execute on function public.email_preferences_of(uuid), public.email_set_preferences(uuid, boolean, boolean, boolean, text), public.email_answer_nps(uuid, integer, text)',
    'email_worker');
