-- E-SEC-02  Suspicious login                                         security, not capped, priority 100
--
-- cause       signal suspicious_login {ip, country, device}; or signal login {ip, country, device, city?} from a country, a city or
--             with a device this user never used in params.known_for before it.  Never the first login.  A device is its browser
--             and system (email_device); countries and cities are compared without regard to case, by their first 64 characters.
--             What the signal does not tell is unknown, not new; so is what no earlier login told.  An address is not compared.
-- when        now
-- key         suspicious_login:{signal id}
-- still true  always
-- figures     device, reduced.  The payload carries the signal's keys, occurred_at, and new_device, new_country and new_city where
--             that can be told
-- params      known_for: how far back a device, country or city counts as known
-- reads       email_signals only

-- Cause ----------------------------------------------------------------------------------------------------------------
-- Nearly every login is like the one before, so that one is looked at first, and the others only when it differs.  The
-- expressions are those of email_signals_device_idx, email_signals_country_idx and email_signals_city_idx.
create or replace function public.email_sec_02_signal(s public.email_signals) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    country constant text := nullif(left(lower(btrim(s.payload ->> 'country')), 64), '');
    its_device constant text := lower(s.device);
    city constant text := nullif(left(lower(btrim(s.payload ->> 'city')), 64), '');
    previous record;
    recent boolean;
    new_country boolean;
    new_city boolean;
    new_device boolean;
begin
    select
        t.active_since, t.priority, s.occurred_at - (t.params ->> 'known_for')::interval as known_since, l.occurred_at, lower(l.device) as device,
        left(lower(btrim(l.payload ->> 'country')), 64) as country, left(lower(btrim(l.payload ->> 'city')), 64) as city
    into previous
    from public.email_types t
    left join lateral (
        select p.occurred_at, p.device, p.payload
        from public.email_signals p
        where p.user_id = s.user_id and p.kind = 'login' and (p.occurred_at, p.id) < (s.occurred_at, s.id)
        order by p.occurred_at desc
        limit 1
    ) l on true
    where t.code = 'E-SEC-02' and t.enabled;
    if not found or s.occurred_at < previous.active_since or s.kind = 'login' and previous.occurred_at is null then
        return;
    end if;
    recent := coalesce(previous.occurred_at >= previous.known_since, false);
    -- Each stays null where it cannot be told: nothing is new where no earlier login told any.
    if recent and previous.device = its_device then
        new_device := false;
    elsif its_device is not null then
        new_device := case
            when exists (
                select from public.email_signals p
                where p.user_id = s.user_id and p.kind = 'login' and (p.occurred_at, p.id) < (s.occurred_at, s.id)
                and p.occurred_at >= previous.known_since and lower(p.device) = its_device
            ) then false
            when previous.device > '' or exists (
                select from public.email_signals p
                where p.user_id = s.user_id and p.kind = 'login' and (p.occurred_at, p.id) < (s.occurred_at, s.id)
                and lower(p.device) > ''
            ) then true
        end;
    end if;
    if recent and previous.country = country then
        new_country := false;
    elsif country is not null then
        new_country := case
            when exists (
                select from public.email_signals p
                where p.user_id = s.user_id and p.kind = 'login' and (p.occurred_at, p.id) < (s.occurred_at, s.id)
                and p.occurred_at >= previous.known_since and left(lower(btrim(p.payload ->> 'country')), 64) = country
            ) then false
            when previous.country > '' or exists (
                select from public.email_signals p
                where p.user_id = s.user_id and p.kind = 'login' and (p.occurred_at, p.id) < (s.occurred_at, s.id)
                and left(lower(btrim(p.payload ->> 'country')), 64) > ''
            ) then true
        end;
    end if;
    if recent and previous.city = city then
        new_city := false;
    elsif city is not null then
        new_city := case
            when exists (
                select from public.email_signals p
                where p.user_id = s.user_id and p.kind = 'login' and p.payload ? 'city' and (p.occurred_at, p.id) < (s.occurred_at, s.id)
                and p.occurred_at >= previous.known_since and left(lower(btrim(p.payload ->> 'city')), 64) = city
            ) then false
            when previous.city > '' or exists (
                select from public.email_signals p
                where p.user_id = s.user_id and p.kind = 'login' and p.payload ? 'city' and (p.occurred_at, p.id) < (s.occurred_at, s.id)
                and left(lower(btrim(p.payload ->> 'city')), 64) > ''
            ) then true
        end;
    end if;
    if s.kind = 'login' and (new_device or new_country or new_city) is not true then
        return;
    end if;
    insert into public.email_outbox (email_type, user_id, dedupe_key, payload, run_at, rank, due_at)
    select r.*, r.run_at
    from (
        select
            'E-SEC-02', coalesce(s.user_id, public.email_missing('user_id')::uuid), 'suspicious_login:' || s.id as dedupe_key,
            jsonb_strip_nulls(jsonb_build_object('new_device', new_device, 'new_country', new_country, 'new_city', new_city)) || s.payload
                || jsonb_build_object('occurred_at', s.occurred_at, 'signal_id', s.id),
            least(s.occurred_at, public.email_now()) as run_at, previous.priority
    ) r
    where not exists (select from public.email_journaled(r.dedupe_key))
    on conflict (dedupe_key) do nothing;
end
$$;
comment on function public.email_sec_02_signal(public.email_signals) is 'E-SEC-02: enqueues a letter when this login is suspicious.';
revoke all on function public.email_sec_02_signal(public.email_signals) from public;

-- fact: {signal_id}
create or replace function public.email_sec_02_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform public.email_sec_02_signal(s) from public.email_signals s where s.id = (facts -> 0 ->> 'signal_id')::bigint;
end
$$;
comment on function public.email_sec_02_enqueue(jsonb) is 'E-SEC-02: what a recorded signal causes, for a replay or a dry run. facts: [{signal_id}].';
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
    select o.id, null::text, jsonb_strip_nulls(jsonb_build_object('device', public.email_device(o.payload ->> 'device')))
    from public.email_outbox o
    where o.id = any(ids);
end
$$;
comment on function public.email_sec_02_current(bigint[]) is 'E-SEC-02: always true; the device as its browser and system.';
revoke all on function public.email_sec_02_current(bigint[]) from public;

select public.email_grant('execute on function public.email_sec_02_current(bigint[])', 'email_worker');
