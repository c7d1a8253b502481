-- E-ACT-04  First verdict of a project                               product, not capped, priority 80
--
-- cause       deployment_verdicts: the first of a project is inserted; to the project's owner and its admin contacts
-- when        now
-- key         first_verdict_available:{project}; a contact's copy appends :{email}, in lower case
-- still true  while the deployment is there, unless E-ACT-05 tells this recipient of it: it was sent, is being sent, would go now
--             or went as part of another letter.  One that is held back or came to nothing does not count, so that nobody is
--             left without a letter
-- figures     the verdict's: see email_verdict_figures
-- params      none
-- reads       deployment_verdicts (deployment_id, created_at, verdict, …), deployments (id, project_id, …), projects (id,
--             owner_id, name, plan), users (id, email), metric_samples, sdh_hints, scheduled_jobs (where it is there)

-- Cause ----------------------------------------------------------------------------------------------------------------
-- A project's verdicts before one; nearly every verdict has one.  SQL without settings of its own, so that it becomes a part of
-- the statements that use it; they set enable_bitmapscan off.
create or replace function public.email_act_04_earlier(deployment uuid, verdict_at timestamptz)
returns table (deployment_id uuid)
language sql stable
as $$
-- Oldest first, through the index: the first one or two rows tell whether there is one.
select v.deployment_id
from (
    select other.id
    from public.deployments other
    where other.project_id = (select d.project_id from public.deployments d where d.id = deployment)
    order by other.started_at
    offset 0
) other
cross join lateral (
    select v.deployment_id from public.deployment_verdicts v
    where v.deployment_id = other.id and (v.created_at, v.deployment_id) < (verdict_at, deployment)
    offset 0
) v
$$;
comment on function public.email_act_04_earlier(uuid, timestamptz) is
'E-ACT-04: the deployments whose verdict is older than this one''s, of the same project; none for the first.';
revoke all on function public.email_act_04_earlier(uuid, timestamptz) from public;

-- What one verdict becomes; inlined too.
create or replace function public.email_act_04_rows(deployment uuid, verdict_at timestamptz, at timestamptz)
returns table (email_type text, user_id uuid, project_id uuid, to_email text, dedupe_key text, payload jsonb, run_at timestamptz, rank integer)
language sql stable
as $$
select
    t.code, coalesce(r.user_id, public.email_missing('owner_id')::pg_catalog.uuid), r.project_id, r.to_email,
    'first_verdict_available:' || r.project_id || r.key_suffix, jsonb_build_object('deployment_id', deployment),
    coalesce(at, public.email_now()), t.priority
from public.email_types t
cross join lateral public.email_deployment_recipients(deployment, 'admin') r
where t.code = 'E-ACT-04' and t.enabled and coalesce(verdict_at, public.email_missing('created_at')::pg_catalog.timestamptz) >= t.active_since
and not exists (select from public.email_act_04_earlier(deployment, verdict_at))
$$;
comment on function public.email_act_04_rows(uuid, timestamptz, timestamptz) is
'E-ACT-04: the outbox rows of one verdict, for the owner and the admin contacts; none for one that is not its project''s first.';
revoke all on function public.email_act_04_rows(uuid, timestamptz, timestamptz) from public;

-- fact: {deployment_id, created_at, at}; at is the moment of the cause, from which the letter expires, also when it is replayed
create or replace function public.email_act_04_enqueue(facts jsonb) returns void
language plpgsql
set enable_bitmapscan = off
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
    insert into public.email_outbox (email_type, user_id, project_id, to_email, dedupe_key, payload, run_at, rank, due_at)
    select r.*, r.run_at
    from jsonb_to_recordset(facts) as f (deployment_id uuid, created_at timestamptz, at timestamptz)
    cross join lateral public.email_act_04_rows(f.deployment_id, f.created_at, f.at) r
    where not exists (select from public.email_journaled(r.dedupe_key))
    on conflict (dedupe_key) do nothing;
end
$$;
comment on function public.email_act_04_enqueue(jsonb) is 'E-ACT-04: enqueues what first verdicts cause. facts: [{deployment_id, created_at, at}].';
revoke all on function public.email_act_04_enqueue(jsonb) from public;

create or replace function public.email_act_04_trigger() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
begin
    -- Nearly every verdict is one of many.
    if exists (select from new_rows n where not exists (select from public.email_act_04_earlier(n.deployment_id, n.created_at))) then
        insert into public.email_outbox (email_type, user_id, project_id, to_email, dedupe_key, payload, run_at, rank, due_at)
        select r.*, r.run_at
        from new_rows n
        cross join lateral public.email_act_04_rows(n.deployment_id, n.created_at, public.email_now()) r
        where not exists (select from public.email_journaled(r.dedupe_key))
        on conflict (dedupe_key) do nothing;
    end if;
    return null;
exception when others then
    begin
        perform public.email_guard('deployment_verdicts', 'E-ACT-04', (
            select jsonb_agg(jsonb_build_object(
                'deployment_id', to_jsonb(n) -> 'deployment_id', 'created_at', to_jsonb(n) -> 'created_at', 'at', public.email_now()
            ))
            from new_rows n
        ), sqlstate, sqlerrm);
    exception when others then
        raise warning 'seqpulse-mailer: E-ACT-04 missed a fact of deployment_verdicts: %', sqlerrm;
    end;
    return null;
end
$$;
comment on function public.email_act_04_trigger() is 'E-ACT-04: after verdicts are inserted. Never fails the application''s statement.';
revoke all on function public.email_act_04_trigger() from public;

create or replace trigger email_act_04_insert after insert on public.deployment_verdicts
referencing new table as new_rows
for each statement execute function public.email_act_04_trigger();

-- The same facts, from what the tables still know: for a dry run.
create or replace function public.email_act_04_facts(since timestamptz, until timestamptz) returns table (happened_at timestamptz, fact jsonb)
language plpgsql stable
set enable_bitmapscan = off
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select v.created_at, jsonb_build_object('deployment_id', v.deployment_id, 'created_at', v.created_at, 'at', v.created_at)
    from public.deployment_verdicts v
    where v.created_at >= since and v.created_at <= until
    and not exists (select from public.email_act_04_earlier(v.deployment_id, v.created_at));
end
$$;
comment on function public.email_act_04_facts(timestamptz, timestamptz) is 'E-ACT-04: the first verdicts of a time, as its facts.';
revoke all on function public.email_act_04_facts(timestamptz, timestamptz) from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_act_04_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
as $$
begin
    return query
    with rows as materialized (
        select o.id, coalesce((o.payload ->> 'deployment_id')::uuid, (
            select d.id
            from public.deployments d
            join public.deployment_verdicts v on v.deployment_id = d.id
            where d.project_id = coalesce(o.project_id, (o.payload ->> 'project_id')::uuid, public.email_key_id(o.dedupe_key, 2))
            order by v.created_at, d.id
            limit 1
        )) as deployment_id, coalesce(substring(o.dedupe_key from '^[^:]+:[^:]+(:.+)$'), '') as key_suffix
        from public.email_outbox o
        where o.id = any(ids)
    ),
    -- The alert for the same recipient: both keys end alike.
    alerts as materialized (
        select r.id, a.id as alert, a.status, a.reason
        from rows r
        join public.email_outbox a on a.dedupe_key = 'critical_verdict_alert:' || r.deployment_id || r.key_suffix
        where a.email_type = 'E-ACT-05'
    ),
    told as materialized (
        select a.id
        from alerts a
        where a.status in ('sending', 'sent') or a.status = 'suppressed' and a.reason like 'told in the letter of %'
        union
        select a.id
        from alerts a
        join public.email_gates(array(select w.alert from alerts w where w.status = 'queued')) g on g.id = a.alert
        where g.verdict = 'send' or g.reason like 'told in the letter of %'
        union
        -- Also one that the application's own sender sent.
        select r.id
        from rows r
        join public.email_deliveries j on j.dedupe_key = 'critical_verdict_alert:' || r.deployment_id || r.key_suffix
        where j.status = 'sent'
    )
    select
        r.id,
        case
            when f.deployment_id is null then 'no such deployment'
            when r.id in (select t.id from told t) then 'E-ACT-05 tells this recipient of the deployment'
        end,
        coalesce(f.figures, '{}')
    from rows r
    left join public.email_verdict_figures(array(select w.deployment_id from rows w)) f on f.deployment_id = r.deployment_id;
end
$$;
comment on function public.email_act_04_current(bigint[]) is 'E-ACT-04: true while the deployment exists and E-ACT-05 does not tell the recipient of it; the verdict''s figures.';
revoke all on function public.email_act_04_current(bigint[]) from public;

select public.email_grant('execute on function public.email_act_04_current(bigint[])', 'email_worker');
