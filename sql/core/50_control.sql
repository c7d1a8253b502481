-- What people and sidecars use to steer: pausing, arming, and the heartbeat.

-- Ending what is queued ------------------------------------------------------------------------------------------------
-- The one way to suppress from SQL: row and journal together.  Rows that another transaction has locked are left alone: a sidecar that is
-- claiming one asks the same question, and one that is being sent ends with its outcome.
create or replace function public.email_suppress(ids bigint[], reason text) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    suppressed bigint[];
begin
    with ended as (
        update public.email_outbox o set
            status = 'suppressed', reason = $2, retry_at = null, finished_at = public.email_now()
        where o.id in (
            select q.id from public.email_outbox q
            where q.id = any($1) and q.status = 'queued'
            for update skip locked
        )
        returning o.*
    ),
    journaled as (
        insert into public.email_deliveries as d (user_id, project_id, email_type, dedupe_key, status, payload_json, created_at, outbox_id)
        select e.user_id, e.project_id, e.email_type, e.dedupe_key, 'suppressed', jsonb_build_object('reason', $2), public.email_now(), e.id
        from ended e
        on conflict (dedupe_key) do update set status = excluded.status, payload_json = excluded.payload_json
        where d.outbox_id = excluded.outbox_id and d.status in ('queued', 'failed')
    )
    select array_agg(e.id) into suppressed from ended e;
    perform public.email_slots_settle(null, suppressed);
    return coalesce(cardinality(suppressed), 0);
end
$$;
comment on function public.email_suppress(bigint[], text) is
'Ends those of these rows that are queued: suppressed for this reason, in the outbox and in the journal. Answers how many.';
revoke all on function public.email_suppress(bigint[], text) from public;

create or replace function public.email_suppress_untrue(code text, ids bigint[]) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    why text;
    untrue bigint[];
    suppressed integer := 0;
begin
    if coalesce(cardinality(ids), 0) = 0 then
        return 0;
    end if;
    for why, untrue in
        execute format('select c.untrue, array_agg(c.id) from public.%I($1) c where c.untrue is not null group by c.untrue',
            public.email_function(code, 'current'))
        using ids
    loop
        suppressed := suppressed + public.email_suppress(untrue, why);
    end loop;
    return suppressed;
end
$$;
comment on function public.email_suppress_untrue(text, bigint[]) is
'Suppresses at once those of these rows of one code that its own "still true" denies: how a sequence is left. Answers how many.';
revoke all on function public.email_suppress_untrue(text, bigint[]) from public;

-- Editing the catalogue ----------------------------------------------------------------------------------------------
create or replace function public.email_types_edited() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if new.enabled and not old.enabled and new.active_since = old.active_since then
        new.active_since := public.email_now();
    end if;
    if new.paused_at is null then
        new.paused_reason := null;
    end if;
    return new;
end
$$;
comment on function public.email_types_edited() is 'Before every update of email_types: enabling again sets active_since, so that nothing is sent about the time between.';
revoke all on function public.email_types_edited() from public;

create or replace trigger email_types_edited before update on public.email_types
for each row execute function public.email_types_edited();

create or replace function public.email_types_applied() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if old.enabled and not new.enabled then
        perform public.email_suppress(array(
            select o.id from public.email_outbox o where o.email_type = new.code and o.status = 'queued'
        ), 'type disabled');
    end if;
    if old.paused_at is not null and new.paused_at is null then
        update public.email_outbox o set run_at = o.due_at, reason = null
        where o.email_type = new.code and o.status = 'queued' and o.run_at = 'infinity';
        perform pg_notify('email_outbox', '');
    end if;
    -- Of another category they wait for another slot.
    if old.capped and (not new.capped or old.category <> new.category) then
        update public.email_outbox o set run_at = o.due_at, reason = null
        where o.email_type = new.code and o.status = 'queued' and o.slot is not null and o.reason like 'cap: %';
        perform pg_notify('email_outbox', '');
    end if;
    if old.priority <> new.priority then
        update public.email_outbox o set rank = new.priority
        where o.email_type = new.code and o.status = 'queued' and o.priority is null;
    end if;
    return null;
end
$$;
comment on function public.email_types_applied() is
'After an update of email_types: disabling suppresses what is queued, resuming releases what waited, a new priority re-ranks the queue.';
revoke all on function public.email_types_applied() from public;

create or replace trigger email_types_applied after update on public.email_types
for each row when (old.* is distinct from new.*) execute function public.email_types_applied();

create or replace function public.email_settings_edited() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if new.marketing_cooldown > old.marketing_cooldown then
        new.cooldown_raised_at := public.email_now();
    end if;
    if new.paused_at is null then
        new.paused_reason := null;
    end if;
    return new;
end
$$;
comment on function public.email_settings_edited() is 'Before every update of email_settings: notes when the cooldown was raised; what is not paused has no reason to be.';
revoke all on function public.email_settings_edited() from public;

create or replace trigger email_settings_edited before update on public.email_settings
for each row execute function public.email_settings_edited();

create or replace function public.email_settings_applied() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if old.marketing_cooldown <> new.marketing_cooldown or old.lookahead <> new.lookahead then
        -- Rows that wait are asked again under the new rule.
        update public.email_outbox o set run_at = o.due_at, reason = null
        where o.status = 'queued' and o.slot is not null and o.reason like 'cap: %';
    end if;
    perform pg_notify('email_outbox', '');
    return null;
end
$$;
comment on function public.email_settings_applied() is
'After an update of email_settings: lets those who wait for a slot ask again when the cap''s rules changed, and wakes the sidecars, so that resuming and arming act at once.';
revoke all on function public.email_settings_applied() from public;

create or replace trigger email_settings_applied after update on public.email_settings
for each row when (old.* is distinct from new.*) execute function public.email_settings_applied();

-- Pausing --------------------------------------------------------------------------------------------------------------
create or replace function public.email_pause(email_type text default null, reason text default null) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if $1 is null then
        update public.email_settings s set
            paused_at = coalesce(s.paused_at, public.email_now()), paused_reason = coalesce($2, s.paused_reason), paused_by = 'person', probe_at = null;
        return;
    end if;
    update public.email_types t set paused_at = coalesce(t.paused_at, public.email_now()), paused_reason = coalesce($2, t.paused_reason) where t.code = $1;
    if not found then
        raise exception 'unknown email type "%"', $1 using hint = 'The known codes are: select code, name from public.email_types order by code;';
    end if;
end
$$;
comment on function public.email_pause(text, text) is 'Stops sending one kind of email, or everything (null). What is queued waits; nothing is lost.';
revoke all on function public.email_pause(text, text) from public;

create or replace function public.email_resume(email_type text default null) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if $1 is null then
        update public.email_settings set
            paused_at = null, paused_reason = null, paused_by = null, probe_at = null, probes = 0, probed_by = null;
        return;
    end if;
    update public.email_types t set paused_at = null where t.code = $1;
    if not found then
        raise exception 'unknown email type "%"', $1 using hint = 'The known codes are: select code, name from public.email_types order by code;';
    end if;
end
$$;
comment on function public.email_resume(text) is 'Starts sending one kind of email again, or everything (null: the general pause ends; types that are paused on their own stay so).';
revoke all on function public.email_resume(text) from public;

create or replace function public.email_arm() returns text
language sql
set search_path = pg_catalog, pg_temp
as $$
update public.email_settings set armed_for = public.email_identity() returning armed_for
$$;
comment on function public.email_arm() is
'Says that this database is the one to send from: call it after a restore or a rename, once no sidecar sends from the original.';
revoke all on function public.email_arm() from public;

-- The sidecar's poll -------------------------------------------------------------------------------------------------------
create or replace function public.email_heartbeat(
    worker text, hostname text, pid integer, version text, provider text, state text, in_flight integer, session_pid integer
) returns table (armed boolean, paused_reason text, clock_offset text, next_seconds double precision)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.email_workers as w (id, hostname, pid, version, provider, state, in_flight, session_pid, session_start)
    select $1, $2, $3, $4, $5, $6, $7, $8, (select a.backend_start from pg_catalog.pg_stat_activity a where a.pid = $8)
    on conflict (id) do update set
        state = excluded.state, in_flight = excluded.in_flight, session_pid = excluded.session_pid, session_start = excluded.session_start,
        last_seen_at = clock_timestamp(), lost_at = null;
    perform public.email_miss_workers(worker);
    if state = 'stopped' then
        delete from public.email_workers w where w.last_seen_at < clock_timestamp() - interval '1 day';
    end if;
    return query
    select
        s.armed_for is not distinct from public.email_identity(),
        case when s.paused_at is not null then coalesce(s.paused_reason, 'paused') end,
        -- What a new session would get: ALTER DATABASE reaches only sessions that start after it.
        (
            select substr(c, length('email.clock_offset=') + 1)
            from pg_catalog.pg_db_role_setting r, unnest(r.setconfig) c
            where r.setdatabase = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
            and r.setrole = 0 and c like 'email.clock\_offset=%'
        ),
        public.email_next_seconds()
    from public.email_settings s;
end
$$;
comment on function public.email_heartbeat(text, text, integer, text, text, text, integer, integer) is
'A sidecar says that it is alive, and learns whether it may send, what the clock offset of new sessions is, and in how many seconds there is something to do.';
revoke all on function public.email_heartbeat(text, text, integer, text, text, text, integer, integer) from public;

create or replace function public.email_next_seconds() returns double precision
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
begin
    -- In PL/pgSQL, because that keeps its plan (which must not be one for an empty table) where a SQL function would be planned
    -- anew at each call.
    return (
        with recursive ranks as (
            (
                select o.rank, o.run_at from public.email_outbox o
                where o.status = 'queued' and o.retry_at is null
                order by o.rank desc, o.run_at
                limit 1
            )
            union all
            select n.rank, n.run_at
            from ranks r
            cross join lateral (
                select o.rank, o.run_at from public.email_outbox o
                where o.status = 'queued' and o.retry_at is null and o.rank < r.rank
                order by o.rank desc, o.run_at
                limit 1
            ) n
        ),
        moments as (
            select extract(epoch from min(r.run_at) - public.email_now()) as seconds from ranks r where r.run_at < 'infinity'
            union all
            select extract(epoch from min(o.retry_at) - clock_timestamp()) from public.email_outbox o where o.status = 'queued' and o.retry_at is not null
            union all
            select extract(epoch from min(o.locked_until) - clock_timestamp()) from public.email_outbox o where o.status = 'sending'
            union all
            -- While requests are under way, a sidecar that is lost is noticed within a second.
            select 1 where exists (
                select from public.email_outbox o left join public.email_batches b on b.batch_id = o.batch_id
                where o.status = 'sending' and b.state is distinct from 'unknown'
            )
            union all
            -- And a sidecar that is missed already, at the end of its grace.
            select extract(epoch from min(w.lost_at) + public.email_grace() - clock_timestamp())
            from public.email_workers w
            where w.lost_at > clock_timestamp() - public.email_grace() and w.state <> 'stopped'
        )
        select min(m.seconds)::double precision from moments m
    );
end
$$;
comment on function public.email_next_seconds() is
'Seconds until the next row falls due, a backoff ends, a lease runs out or a missed sidecar counts as lost: negative when one is overdue, null when nothing is waiting.';
revoke all on function public.email_next_seconds() from public;

select public.email_grant('execute on function public.email_heartbeat(text, text, integer, text, text, text, integer, integer), public.email_next_seconds()', 'email_worker');
select public.email_grant('execute on function public.email_pause(text, text), public.email_resume(text), public.email_arm()', 'email_admin');
