-- E-SEC-01  Two-factor authentication changed                        security, not capped, priority 100
--
-- cause       users.twofa_enabled changes
-- when        now
-- key         twofa_changed:{user}:{on/off}:{instant}; the instant is epoch milliseconds of the clock, not of the transaction
-- still true  always
-- figures     login_at, login_ip, login_country, login_city, login_device (browser and system): the user's latest login in the 24
--             hours before; login_device_known: whether an earlier login had the same device, null when this one tells no device
--             or no earlier one told any
-- params      none
-- reads       users (id, twofa_enabled), through the trigger only

-- Cause ----------------------------------------------------------------------------------------------------------------
-- fact: {user_id, enabled, changed_at}
create or replace function public.email_sec_01_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.email_outbox (email_type, user_id, dedupe_key, payload, run_at, rank, due_at)
    select r.*, r.run_at
    from (
        select
            t.code, (f ->> 'user_id')::uuid,
            'twofa_changed:' || (f ->> 'user_id')
                || case coalesce(f ->> 'enabled', public.email_missing('enabled')) when 'true' then ':on:' else ':off:' end
                || floor(1000 * extract(epoch from (f ->> 'changed_at')::timestamptz))::bigint as dedupe_key,
            jsonb_build_object('enabled', f -> 'enabled', 'changed_at', f -> 'changed_at'),
            (f ->> 'changed_at')::timestamptz as run_at, t.priority
        from jsonb_array_elements(facts) as f
        join public.email_types t on t.code = 'E-SEC-01' and t.enabled
        where coalesce(f ->> 'changed_at', public.email_missing('changed_at'))::timestamptz >= t.active_since
    ) r
    where not exists (select from public.email_journaled(r.dedupe_key))
    on conflict (dedupe_key) do nothing;
end
$$;
comment on function public.email_sec_01_enqueue(jsonb) is 'E-SEC-01: enqueues what changes of two-factor authentication cause. facts: [{user_id, enabled, changed_at}].';
revoke all on function public.email_sec_01_enqueue(jsonb) from public;

create or replace function public.email_sec_01_trigger() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
    facts jsonb;
begin
    -- Grouped rather than joined: a plan made for one row must also do for a bulk update.  The clock is read as it ticks, so
    -- that on and off and on again in one transaction are three letters.
    facts := (
        select jsonb_agg(jsonb_build_object(
            'user_id', c.id, 'enabled', c.enabled, 'changed_at', clock_timestamp() + (public.email_now() - now())
        ))
        from (
            select v.id, bool_or(v.enabled) as enabled
            from (
                select n.id, n.twofa_enabled as enabled, null::boolean as was_enabled from new_rows n
                union all
                select o.id, null, o.twofa_enabled from old_rows o
            ) v
            group by v.id
            having bool_or(v.enabled) <> bool_or(v.was_enabled)
        ) c
    );
    if facts is not null then
        perform public.email_sec_01_enqueue(facts);
    end if;
    return null;
exception when others then
    begin
        perform public.email_guard('users', 'E-SEC-01', coalesce(facts, (
            select jsonb_agg(jsonb_build_object('user_id', to_jsonb(n) -> 'id')) from new_rows n
        )), sqlstate, sqlerrm);
    exception when others then
        raise warning 'seqpulse-mailer: E-SEC-01 missed a fact of users: %', sqlerrm;
    end;
    return null;
end
$$;
comment on function public.email_sec_01_trigger() is 'E-SEC-01: after users are updated. Never fails the application''s statement.';
revoke all on function public.email_sec_01_trigger() from public;

create or replace trigger email_sec_01_update after update on public.users
referencing old table as old_rows new table as new_rows
for each statement execute function public.email_sec_01_trigger();

-- The same facts, from what the tables still know: for a dry run.
create or replace function public.email_sec_01_facts(since timestamptz, until timestamptz) returns table (happened_at timestamptz, fact jsonb)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select u.twofa_enabled_at, jsonb_build_object('user_id', u.id, 'enabled', true, 'changed_at', u.twofa_enabled_at)
    from public.users u
    where u.twofa_enabled and u.twofa_enabled_at >= since and u.twofa_enabled_at <= until;
end
$$;
comment on function public.email_sec_01_facts(timestamptz, timestamptz) is 'E-SEC-01: the two-factor authentication that was switched on and is still (nothing tells when it was switched off) of a time, as its facts.';
revoke all on function public.email_sec_01_facts(timestamptz, timestamptz) from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_sec_01_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select o.id, null::text, jsonb_strip_nulls(jsonb_build_object(
        'login_at', l.occurred_at,
        'login_ip', l.payload ->> 'ip',
        'login_country', l.payload ->> 'country',
        'login_city', l.payload ->> 'city',
        'login_device', l.device,
        'login_device_known', case
            when l.device is null then null
            when exists (
                select from public.email_signals p
                where p.user_id = o.user_id and p.kind = 'login' and (p.occurred_at, p.id) < (l.occurred_at, l.id)
                and lower(p.device) = lower(l.device)
            ) then true
            when exists (
                select from public.email_signals p
                where p.user_id = o.user_id and p.kind = 'login' and (p.occurred_at, p.id) < (l.occurred_at, l.id)
                and lower(p.device) > ''
            ) then false
        end
    ))
    from public.email_outbox o
    left join lateral (
        select s.id, s.occurred_at, s.device, s.payload
        from public.email_signals s
        where s.user_id = o.user_id and s.kind = 'login'
        and s.occurred_at <= (o.payload ->> 'changed_at')::timestamptz
        and s.occurred_at >= (o.payload ->> 'changed_at')::timestamptz - interval '24 hours'
        order by s.occurred_at desc, s.id desc
        limit 1
    ) l on true
    where o.id = any(ids);
end
$$;
comment on function public.email_sec_01_current(bigint[]) is 'E-SEC-01: always true; the latest login in the 24 hours before the change, and whether its device was known before.';
revoke all on function public.email_sec_01_current(bigint[]) from public;

select public.email_grant('execute on function public.email_sec_01_current(bigint[])', 'email_worker');
