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
-- Whether this value of a login's payload is new to the user; null when that cannot be told.  Newest logins first: nearly
-- every login is like the one before.
create or replace function public.email_sec_02_new(login_user uuid, login_id bigint, login_at timestamptz, field text, value text, known_for interval)
returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if coalesce(btrim(value), '') = '' then
        return null;
    end if;
    if exists (
        select from (
            select s.payload
            from public.email_signals s
            where s.user_id = login_user and s.kind = 'login' and s.occurred_at >= login_at - known_for and (s.occurred_at, s.id) < (login_at, login_id)
            order by s.occurred_at desc
            offset 0
        ) earlier
        where lower(btrim(earlier.payload ->> field)) = lower(btrim(value))
    ) then
        return false;
    end if;
    if exists (
        select from public.email_signals s
        where s.user_id = login_user and s.kind = 'login' and (s.occurred_at, s.id) < (login_at, login_id) and btrim(s.payload ->> field) <> ''
    ) then
        return true;
    end if;
    return null;
end
$$;
comment on function public.email_sec_02_new(uuid, bigint, timestamptz, text, text, interval) is
'E-SEC-02: whether this country or device is new to the user: false when a login within known_for had it, null when nothing is known to compare it with.';
revoke all on function public.email_sec_02_new(uuid, bigint, timestamptz, text, text, interval) from public;

-- fact: {signal_id}
create or replace function public.email_sec_02_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.email_outbox (email_type, user_id, dedupe_key, payload, run_at)
    select
        t.code, coalesce(s.user_id, public.email_missing('user_id')::uuid), 'suspicious_login:' || s.id,
        jsonb_strip_nulls(jsonb_build_object('new_country', n.country, 'new_device', n.device)) || s.payload
            || jsonb_build_object('occurred_at', s.occurred_at, 'signal_id', s.id),
        least(s.occurred_at, public.email_now())
    from public.email_signals s
    join public.email_types t on t.code = 'E-SEC-02' and t.enabled
    cross join lateral (
        select
            public.email_sec_02_new(s.user_id, s.id, s.occurred_at, 'country', s.payload ->> 'country', (t.params ->> 'known_for')::interval) as country,
            public.email_sec_02_new(s.user_id, s.id, s.occurred_at, 'device', s.payload ->> 'device', (t.params ->> 'known_for')::interval) as device
        offset 0
    ) n
    where s.id = (facts -> 0 ->> 'signal_id')::bigint and s.occurred_at >= t.active_since
    and (s.kind = 'suspicious_login' or s.kind = 'login' and (n.country or n.device))
    on conflict (dedupe_key) do nothing;
end
$$;
comment on function public.email_sec_02_enqueue(jsonb) is 'E-SEC-02: enqueues a letter for each of these logins that is suspicious. facts: [{signal_id}].';
revoke all on function public.email_sec_02_enqueue(jsonb) from public;

create or replace trigger email_sec_02_signal after insert on public.email_signals
for each row when (new.kind in ('login', 'suspicious_login'))
execute function public.email_signal_trigger('E-SEC-02');

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
