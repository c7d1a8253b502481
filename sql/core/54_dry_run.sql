-- What would this kind of email have done? Everything happens for real, at the moments it would have happened, inside a
-- subtransaction that is undone: no other session sees it, nothing is sent, no sidecar wakes.

-- What a code's "still true" may know: everything, save in a dry run, which asks it about a moment that is over.
create or replace function public.email_as_of() returns timestamptz
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return case when current_setting('email.dry_run', true) = 'on' then public.email_now() else 'infinity' end;
end
$$;
comment on function public.email_as_of() is
'Facts after this moment are not known yet: infinity, save in a dry run, where it is the moment that is played through.';
revoke all on function public.email_as_of() from public;

-- The facts of a code in a time, in the order they came; none for a code that is found by scanning.
create or replace function public.email_facts(code text, since timestamptz, until timestamptz) returns table (happened_at timestamptz, fact jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if to_regprocedure('public.' || public.email_function(code, 'facts') || '(timestamptz, timestamptz)') is not null then
        return query execute format('select f.happened_at, f.fact from public.%I($1, $2) f order by f.happened_at', public.email_function(code, 'facts'))
        using since, until;
    else
        return query select null::timestamptz, null::jsonb where false;
    end if;
end
$$;
comment on function public.email_facts(text, timestamptz, timestamptz) is
'What the tables still know of the facts of a time that cause this code, in their order; none for a code that is found by scanning.';
revoke all on function public.email_facts(text, timestamptz, timestamptz) from public;

-- One moment of the dry run: what is new is enqueued; what a claim would then decide.  Slots as they really were taken, and as
-- this run takes them; of one recipient's letters of this kind that are due together one goes.
create or replace function public.email_dry_run_step(code text, facts jsonb, pending bigint[]) returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    newest bigint := coalesce((select max(o.id) from public.email_outbox o), 0);
    enqueue constant text := format('select public.%I($1)', public.email_function(email_dry_run_step.code, 'enqueue'));
    fact jsonb;
    kind record;
begin
    if facts is null then
        -- A scan; its rows get numbers of their own, below all others.
        with new_rows as (
            insert into public.email_outbox (id, email_type, user_id, project_id, dedupe_key, run_at, payload)
            select least(0, (select min(o.id) from public.email_outbox o)) - row_number() over (order by a.run_at, a.dedupe_key),
                email_dry_run_step.code, a.user_id, a.project_id, a.dedupe_key, a.run_at, a.payload
            from public.email_audience(email_dry_run_step.code) a
            on conflict (dedupe_key) do nothing
            returning id
        )
        select pending || coalesce(array_agg(n.id), '{}') into pending from new_rows n;
    else
        -- One by one, as they came; a fact that cannot be enqueued causes nothing, as it did not then.
        for fact in select f from jsonb_array_elements(facts) f loop
            begin
                execute enqueue using jsonb_build_array(fact);
            exception when others then
                null;
            end;
        end loop;
        pending := pending || array(select o.id from public.email_outbox o where o.id > newest and o.email_type = email_dry_run_step.code);
    end if;

    select t.capped, t.category, s.marketing_cooldown as cooldown, public.email_now() - s.marketing_cooldown as free_since, public.email_now() as instant into kind
    from public.email_types t cross join public.email_settings s where t.code = email_dry_run_step.code;
    with due as materialized (
        select array_agg(o.id) as ids from public.email_outbox o where o.id = any(pending) and o.status = 'queued' and o.run_at <= kind.instant
    ),
    gated as materialized (
        select g.id, g.verdict, g.reason, g.slot, o.user_id, o.run_at,
            row_number() over (partition by g.slot, g.verdict order by o.run_at, o.id) as place
        from due
        cross join lateral public.email_gates(due.ids) g
        join public.email_outbox o on o.id = g.id
    ),
    decided as materialized (
        select g.*, case when g.verdict = 'send' and kind.capped then greatest(
            (
                select max(d.sent_at) from public.email_deliveries d
                where d.user_id = g.user_id and d.slot = g.slot and d.slot_category = kind.category and d.sent_at > kind.free_since and d.sent_at <= kind.instant
            ), (
                select max(o.finished_at) from public.email_outbox o
                where o.id = any(pending) and o.user_id = g.user_id and o.slot = g.slot and o.status = 'sent' and o.finished_at > kind.free_since and o.finished_at <= kind.instant
            ),
            case when g.place > 1 and kind.cooldown > '0' then kind.instant end
        ) end as taken_at
        from gated g
    )
    update public.email_outbox o set
        status = case
            when d.taken_at is not null or d.verdict in ('wait', 'retry') then 'queued'
            when d.verdict = 'send' then 'sent'
            when d.verdict = 'suppress' then 'suppressed'
            else 'failed' end,
        reason = case when d.verdict = 'suppress' then d.reason end,
        last_error = case when d.verdict = 'fail' then d.reason end,
        run_at = case
            when d.taken_at is not null then d.taken_at + kind.cooldown
            when d.verdict in ('wait', 'retry') then 'infinity'
            else o.run_at end,
        -- Of no other use here: it was deferred at least once.
        end_as = case when d.taken_at is not null then 'deferred' else o.end_as end,
        slot = case when kind.capped then d.slot end,
        finished_at = case when d.taken_at is null and d.verdict not in ('wait', 'retry') then kind.instant end
    from decided d
    where o.id = d.id;
    return pending;
end
$$;
comment on function public.email_dry_run_step(text, jsonb, bigint[]) is
'One moment of a dry run: enqueues these facts (null: what a scan finds) and decides about those of the run''s rows (pending) that are due; answers the run''s rows.';
revoke all on function public.email_dry_run_step(text, jsonb, bigint[]) from public;

create or replace function public.email_dry_run(code text, past interval)
returns table (outcome text, reason text, letters bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    until constant timestamptz := public.email_now();
    since constant timestamptz := until - past;
    scanned constant boolean := to_regprocedure('public.' || public.email_function(email_dry_run.code, 'audience') || '()') is not null;
    moment timestamptz := since;
    step interval;
    moments timestamptz[];
    facts jsonb[];
    done integer := 0;
    upto integer;
    pending bigint[] := array[]::bigint[];
    results jsonb;
begin
    select greatest(coalesce(e.every, interval '1 hour'), past / 200, interval '1 minute') into step
    from public.email_types t
    left join public.email_schedules e on e.code = t.code
    where t.code = email_dry_run.code;
    if not found then
        raise exception 'unknown email type "%"', email_dry_run.code
            using hint = 'The known codes are: select code, name from public.email_types order by code;';
    end if;
    if past is null or past <= interval '0' then
        raise exception 'the interval must be positive, such as ''30 days''';
    end if;

    begin
        perform set_config('email.dry_run', 'on', true);
        -- As if it had been enabled at the beginning, and none of it had gone out since.
        delete from public.email_deliveries d where d.email_type = email_dry_run.code and d.created_at >= since and d.status <> 'queued';
        delete from public.email_outbox o where o.email_type = email_dry_run.code and o.created_at >= since and o.status in ('sent', 'failed', 'suppressed');
        update public.email_types t set enabled = true, paused_at = null, active_since = since where t.code = email_dry_run.code;
        select coalesce(array_agg(f.happened_at), array[]::timestamptz[]), coalesce(array_agg(f.fact), array[]::jsonb[]) into moments, facts
        from public.email_facts(email_dry_run.code, since, until) f;

        loop
            perform set_config('email.clock_offset', (moment - now())::text, true);
            if scanned then
                pending := public.email_dry_run_step(email_dry_run.code, null, pending);
            else
                upto := done;
                while upto < cardinality(moments) and moments[upto + 1] <= moment loop
                    upto := upto + 1;
                end loop;
                pending := public.email_dry_run_step(email_dry_run.code, to_jsonb(facts[done + 1 : upto]), pending);
                done := upto;
            end if;
            exit when moment >= until;
            -- A scan comes round; otherwise nothing happens before the next fact, or before something is due.
            moment := least(until, greatest(moment + step, case when not scanned then least(
                moments[done + 1], (select min(o.run_at) from public.email_outbox o where o.id = any(pending) and o.status = 'queued')
            ) end));
        end loop;

        results := (
            select jsonb_agg(jsonb_build_array(r.outcome, r.reason, r.letters) order by r.place, r.letters desc, r.reason)
            from (
                select 1 as place, 'enqueued' as outcome, null as reason, count(*) as letters from public.email_outbox o where o.id = any(pending)
                union all
                select 2, 'sent', null, count(*) from public.email_outbox o where o.id = any(pending) and o.status = 'sent'
                union all
                select 3, 'deferred', 'cap', count(*) from public.email_outbox o where o.id = any(pending) and o.end_as = 'deferred'
                union all
                select 4, o.status, coalesce(o.reason, o.last_error), count(*)
                from public.email_outbox o
                where o.id = any(pending) and o.status in ('suppressed', 'failed')
                group by o.status, coalesce(o.reason, o.last_error)
                union all
                select 5, 'waiting', case when o.run_at > o.due_at then 'deferred' else 'not due yet' end, count(*)
                from public.email_outbox o
                where o.id = any(pending) and o.status = 'queued'
                group by 3
            ) r
            where r.place < 3 or r.letters > 0
        );
        raise exception using errcode = 'ZZ001', message = 'undone';
    exception when sqlstate 'ZZ001' then
        null;
    end;
    return query select r ->> 0, r ->> 1, (r ->> 2)::bigint from jsonb_array_elements(results) r;
end
$$;
comment on function public.email_dry_run(text, interval) is
'What this kind of email would have done over the past interval, had it been enabled since its beginning: how many it would have enqueued, sent, deferred by the cap (most of them sent later), suppressed or failed by reason, and how many would still wait. Other letters are taken as they really went, and what is not dated (preferences, suppressions, plans) as it is now. Changes nothing, save that numbers of email_outbox.id are skipped; takes the time of up to 200 scans.';
revoke all on function public.email_dry_run(text, interval) from public;

select public.email_grant('execute on function public.email_dry_run(text, interval)', 'email_admin');
select public.email_grant('execute on function public.email_as_of()', r.role_name) from unnest(array['email_worker', 'email_admin']) r (role_name);
