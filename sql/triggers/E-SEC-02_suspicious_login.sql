-- E-SEC-02  Suspicious login                                         security, not capped, priority 100
--
-- cause       signal suspicious_login {ip, country, device}; or signal login {ip, country, device, city?} from a country or
--             device this user never used in params.known_for before it.  Never the first login.  A country or device the
--             signal does not name is unknown, not new; so is one when no earlier login named any.
-- when        now
-- key         suspicious_login:{signal id}
-- still true  always
-- figures     none: the payload carries the signal's keys, occurred_at, and new_country and new_device where that can be told
-- params      known_for: how far back a country or device counts as known
-- reads       email_signals only

-- Cause ----------------------------------------------------------------------------------------------------------------
-- What of a login is new to its user; null where that cannot be told.  Nearly every login is like the one before, so that one
-- is looked at first, and all of them only when it differs.
create or replace function public.email_sec_02_new(login_id bigint, known_for interval, out country boolean, out device boolean)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    login record;
    previous record;
begin
    select s.user_id, s.occurred_at, nullif(lower(btrim(s.payload ->> 'country')), '') as country, nullif(lower(btrim(s.payload ->> 'device')), '') as device
    into login
    from public.email_signals s
    where s.id = login_id;
    select s.occurred_at, lower(btrim(s.payload ->> 'country')) as country, lower(btrim(s.payload ->> 'device')) as device
    into previous
    from public.email_signals s
    where s.user_id = login.user_id and s.kind = 'login' and (s.occurred_at, s.id) < (login.occurred_at, login_id)
    order by s.occurred_at desc, s.id desc
    limit 1;
    if not found then
        return; -- the first login
    end if;
    if previous.occurred_at >= login.occurred_at - known_for
        and coalesce(previous.country = login.country, login.country is null) and coalesce(previous.device = login.device, login.device is null)
    then
        country := case when login.country is not null then false end;
        device := case when login.device is not null then false end;
        return;
    end if;
    -- Nothing is new where no earlier login named any.
    select
        case when login.country is not null and count(e.country) > 0 then not coalesce(bool_or(e.known and e.country = login.country), false) end,
        case when login.device is not null and count(e.device) > 0 then not coalesce(bool_or(e.known and e.device = login.device), false) end
    into country, device
    from (
        select
            nullif(lower(btrim(s.payload ->> 'country')), '') as country, nullif(lower(btrim(s.payload ->> 'device')), '') as device,
            s.occurred_at >= login.occurred_at - known_for as known
        from public.email_signals s
        where s.user_id = login.user_id and s.kind = 'login' and (s.occurred_at, s.id) < (login.occurred_at, login_id)
    ) e;
end
$$;
comment on function public.email_sec_02_new(bigint, interval) is
'E-SEC-02: whether a login''s country and device are new to its user: false when a login within known_for before it had them, null when that cannot be told.';
revoke all on function public.email_sec_02_new(bigint, interval) from public;

-- fact: {signal_id}
create or replace function public.email_sec_02_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    login record;
begin
    select s.id, s.kind, s.user_id, s.payload, s.occurred_at, n.country as new_country, n.device as new_device
    into login
    from public.email_signals s
    join public.email_types t on t.code = 'E-SEC-02' and t.enabled
    cross join lateral public.email_sec_02_new(s.id, (t.params ->> 'known_for')::interval) n
    where s.id = (facts -> 0 ->> 'signal_id')::bigint and s.occurred_at >= t.active_since;
    -- The most frequent of all signals, and nearly always nothing.
    if not found or login.kind = 'login' and (login.new_country or login.new_device) is not true then
        return;
    end if;
    insert into public.email_outbox (email_type, user_id, dedupe_key, payload, run_at)
    values (
        'E-SEC-02', coalesce(login.user_id, public.email_missing('user_id')::uuid), 'suspicious_login:' || login.id,
        jsonb_strip_nulls(jsonb_build_object('new_country', login.new_country, 'new_device', login.new_device)) || login.payload
            || jsonb_build_object('occurred_at', login.occurred_at, 'signal_id', login.id),
        least(login.occurred_at, public.email_now())
    )
    on conflict (dedupe_key) do nothing;
end
$$;
comment on function public.email_sec_02_enqueue(jsonb) is 'E-SEC-02: enqueues a letter for each of these logins that is suspicious. facts: [{signal_id}].';
revoke all on function public.email_sec_02_enqueue(jsonb) from public;

create or replace trigger email_sec_02_signal after insert on public.email_signals
for each row when (new.kind in ('login', 'suspicious_login'))
execute function public.email_signal_trigger('E-SEC-02');

-- The same facts, from what the tables still know: for a dry run.
create or replace function public.email_sec_02_facts(since timestamptz, until timestamptz) returns table (happened_at timestamptz, fact jsonb)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select s.occurred_at, jsonb_build_object('signal_id', s.id)
    from public.email_signals s
    where s.kind in ('login', 'suspicious_login') and s.occurred_at >= since and s.occurred_at <= until;
end
$$;
comment on function public.email_sec_02_facts(timestamptz, timestamptz) is 'E-SEC-02: the logins of a time, as its facts.';
revoke all on function public.email_sec_02_facts(timestamptz, timestamptz) from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_sec_02_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select o.id, null::text, '{}'::jsonb from public.email_outbox o where o.id = any(ids);
end
$$;
comment on function public.email_sec_02_current(bigint[]) is 'E-SEC-02: always true; no figures.';
revoke all on function public.email_sec_02_current(bigint[]) from public;

select public.email_grant('execute on function public.email_sec_02_current(bigint[])', 'email_worker');
