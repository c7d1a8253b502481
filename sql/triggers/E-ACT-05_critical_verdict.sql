-- E-ACT-05  Critical verdict                                         transactional, not capped, priority 95
--
-- cause       deployment_verdicts: one of params.verdicts is inserted, or a verdict becomes one; to the project's owner and its
--             on-call contacts
-- when        now
-- key         critical_verdict_alert:{deployment}; a contact's copy appends :{email}, in lower case
-- still true  always (as long as the deployment exists)
-- figures     the verdict's: see email_verdict_figures; a verdict that is no longer critical does not replace the one that was
-- params      verdicts: which ones are critical
-- reads       deployment_verdicts (deployment_id, created_at, verdict, …), deployments (id, project_id, …), projects (id,
--             owner_id, name), users (id, email), metric_samples, sdh_hints

-- Cause ----------------------------------------------------------------------------------------------------------------
-- What one verdict becomes.  SQL without settings of its own, so that it becomes a part of the two statements that use it.
create or replace function public.email_act_05_rows(deployment uuid, verdict text, created_at timestamptz, at timestamptz)
returns table (email_type text, user_id uuid, project_id uuid, to_email text, dedupe_key text, payload jsonb, run_at timestamptz)
language sql stable
as $$
select
    t.code, coalesce(r.user_id, public.email_missing('owner_id')::pg_catalog.uuid), r.project_id, r.to_email,
    'critical_verdict_alert:' || deployment || r.key_suffix, jsonb_build_object('deployment_id', deployment, 'verdict', verdict), at
from public.email_types t
cross join lateral public.email_deployment_recipients(deployment, 'on_call') r
where t.code = 'E-ACT-05' and t.enabled and coalesce(created_at, public.email_missing('created_at')::pg_catalog.timestamptz) >= t.active_since
and t.params -> 'verdicts' ? coalesce(verdict, public.email_missing('verdict'))
$$;
comment on function public.email_act_05_rows(uuid, text, timestamptz, timestamptz) is
'E-ACT-05: the outbox rows of one verdict, for the owner and the contacts on call; none for one that is not critical.';
revoke all on function public.email_act_05_rows(uuid, text, timestamptz, timestamptz) from public;

-- fact: {deployment_id, verdict, created_at, at}; at is the moment of the cause, from which the letter expires, also when it is
-- replayed
create or replace function public.email_act_05_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
    insert into public.email_outbox (email_type, user_id, project_id, to_email, dedupe_key, payload, run_at)
    select r.*
    from jsonb_to_recordset(facts) as f (deployment_id uuid, verdict text, created_at timestamptz, at timestamptz)
    cross join lateral public.email_act_05_rows(f.deployment_id, f.verdict, f.created_at, f.at) r
    on conflict (dedupe_key) do nothing;
end
$$;
comment on function public.email_act_05_enqueue(jsonb) is 'E-ACT-05: enqueues what critical verdicts cause. facts: [{deployment_id, verdict, created_at, at}].';
revoke all on function public.email_act_05_enqueue(jsonb) from public;

create or replace function public.email_act_05_trigger() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
set enable_seqscan = off
set jit = off
as $$
declare
    facts jsonb;
begin
    if tg_op = 'INSERT' then
        -- Nearly every verdict is fine.
        if exists (select from new_rows n where n.verdict <> 'ok') then
            insert into public.email_outbox (email_type, user_id, project_id, to_email, dedupe_key, payload, run_at)
            select r.*
            from new_rows n
            cross join lateral public.email_act_05_rows(n.deployment_id, n.verdict, n.created_at, public.email_now()) r
            where n.verdict <> 'ok'
            on conflict (dedupe_key) do nothing;
        end if;
    else
        -- Grouped rather than joined: a plan made for one row must also do for a bulk update.
        facts := (
            select jsonb_agg(jsonb_build_object('deployment_id', r.deployment_id, 'verdict', r.verdict, 'created_at', r.created_at, 'at', public.email_now()))
            from new_rows r
            where r.verdict <> 'ok' and r.id in (
                select v.id
                from (select n.id, n.verdict from new_rows n union all select o.id, o.verdict from old_rows o) v
                group by v.id
                having min(v.verdict) <> max(v.verdict)
            )
        );
    end if;
    if facts is not null then
        perform public.email_act_05_enqueue(facts);
    end if;
    return null;
exception when others then
    begin
        perform public.email_guard('deployment_verdicts', 'E-ACT-05', coalesce(facts, (
            select jsonb_agg(jsonb_build_object(
                'deployment_id', to_jsonb(n) -> 'deployment_id', 'verdict', to_jsonb(n) -> 'verdict', 'created_at', to_jsonb(n) -> 'created_at',
                'at', public.email_now()
            ))
            from new_rows n
            where to_jsonb(n) ->> 'verdict' is distinct from 'ok'
        )), sqlstate, sqlerrm);
    exception when others then
        raise warning 'seqpulse-mailer: E-ACT-05 missed a fact of deployment_verdicts: %', sqlerrm;
    end;
    return null;
end
$$;
comment on function public.email_act_05_trigger() is 'E-ACT-05: after verdicts are inserted or updated. Never fails the application''s statement.';
revoke all on function public.email_act_05_trigger() from public;

create or replace trigger email_act_05_insert after insert on public.deployment_verdicts
referencing new table as new_rows
for each statement execute function public.email_act_05_trigger();

create or replace trigger email_act_05_update after update on public.deployment_verdicts
referencing old table as old_rows new table as new_rows
for each statement execute function public.email_act_05_trigger();

-- The same facts, from what the tables still know: for a dry run.
create or replace function public.email_act_05_facts(since timestamptz, until timestamptz) returns table (happened_at timestamptz, fact jsonb)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select v.created_at, jsonb_build_object('deployment_id', v.deployment_id, 'verdict', v.verdict, 'created_at', v.created_at, 'at', v.created_at)
    from public.deployment_verdicts v
    where v.created_at >= since and v.created_at <= until;
end
$$;
comment on function public.email_act_05_facts(timestamptz, timestamptz) is 'E-ACT-05: the critical verdicts of a time, as its facts.';
revoke all on function public.email_act_05_facts(timestamptz, timestamptz) from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_act_05_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    with rows as materialized (
        select
            o.id, coalesce((o.payload ->> 'deployment_id')::uuid, public.email_key_id(o.dedupe_key, 2)) as deployment_id,
            o.payload ->> 'verdict' as verdict, t.params -> 'verdicts' as critical
        from public.email_outbox o
        join public.email_types t on t.code = o.email_type
        where o.id = any(ids)
    )
    select
        r.id,
        case when f.deployment_id is null then 'no such deployment' end,
        -- The alarm a letter was caused by stands; what a later, better verdict says is none of it.
        coalesce(f.figures, '{}') - case when r.critical ? f.verdict or r.verdict is null then '{}' else '{verdict,confidence,summary}'::text[] end
    from rows r
    left join public.email_verdict_figures(array(select w.deployment_id from rows w)) f on f.deployment_id = r.deployment_id;
end
$$;
comment on function public.email_act_05_current(bigint[]) is 'E-ACT-05: true while the deployment exists; the verdict''s figures.';
revoke all on function public.email_act_05_current(bigint[]) from public;

select public.email_grant('execute on function public.email_act_05_current(bigint[])', 'email_worker');
select public.email_grant('select (id, name) on public.projects', 'email_worker');
select public.email_grant('select (id, project_id, deployment_number, env) on public.deployments', 'email_worker');
select public.email_grant('select (deployment_id, verdict, confidence, summary, created_at) on public.deployment_verdicts', 'email_worker');
select public.email_grant('select (deployment_id, phase, latency_p95, error_rate) on public.metric_samples', 'email_worker');
select public.email_grant('select (deployment_id, metric, severity, confidence, suggested_actions) on public.sdh_hints', 'email_worker');
