-- E-ACT-05  Critical verdict                                         transactional, not capped, priority 95
--
-- cause       deployment_verdicts: one of params.verdicts is inserted, or a verdict becomes one; to the project's owner and its
--             on-call contacts
-- when        now; further warnings of a project within params.digest_within after one that went at once wait until that time is
--             over and go as one letter, whether they found a fault or could not measure; rollback_recommended always goes at once
-- key         critical_verdict_alert:{deployment}; a contact's copy appends :{email}, in lower case
-- still true  while the deployment is there and its verdict is one of params.verdicts; of several that go together the newest is
--             the letter, the others end as "told in the letter of KEY"
-- figures     the verdict's: see email_verdict_figures; others: the same of the warnings that the letter tells of besides
-- params      verdicts: which ones are critical; digest_within: how long further warnings are collected (null or 0: never)
-- reads       deployment_verdicts (deployment_id, created_at, verdict, …), deployments (id, project_id, …), projects (id,
--             owner_id, name, plan), users (id, email), metric_samples, sdh_hints, scheduled_jobs (where it is there)

-- Cause ----------------------------------------------------------------------------------------------------------------
-- What one verdict becomes.  SQL without settings of its own, so that it becomes a part of the two statements that use it.
-- collects: until when this recipient's further warnings of the project are collected; null when this one would be the first.
drop function if exists public.email_act_05_rows(uuid, text, timestamptz, timestamptz);
create or replace function public.email_act_05_rows(deployment uuid, verdict text, created_at timestamptz, at timestamptz)
returns table (
    email_type text, user_id uuid, project_id uuid, to_email text, dedupe_key text, payload jsonb, rank integer, urgent boolean, within interval, collects timestamptz
)
language sql stable
as $$
select
    t.code, coalesce(r.user_id, public.email_missing('owner_id')::pg_catalog.uuid), r.project_id, r.to_email,
    'critical_verdict_alert:' || deployment || r.key_suffix, jsonb_build_object('deployment_id', deployment, 'verdict', verdict),
    t.priority, verdict = 'rollback_recommended', t.within,
    case when verdict <> 'rollback_recommended' then (
        select max(o.due_at) + t.within
        from public.email_outbox o
        where o.email_type = 'E-ACT-05' and o.project_id = r.project_id and o.due_at > at - t.within and o.due_at <= at
        and o.status <> 'suppressed' and o.to_email is not distinct from r.to_email
        and o.payload ->> 'verdict' <> 'rollback_recommended' and not o.payload ? 'digest'
    ) end
from (
    select k.code, k.priority, k.params, k.enabled, k.active_since, coalesce((k.params ->> 'digest_within')::pg_catalog.interval, '0') as within
    from public.email_types k
    where k.code = 'E-ACT-05'
) t
cross join lateral public.email_deployment_recipients(deployment, 'on_call') r
where t.enabled and coalesce(created_at, public.email_missing('created_at')::pg_catalog.timestamptz) >= t.active_since
and t.params -> 'verdicts' ? coalesce(verdict, public.email_missing('verdict'))
$$;
comment on function public.email_act_05_rows(uuid, text, timestamptz, timestamptz) is
'E-ACT-05: the outbox rows of one verdict, for the owner and the contacts on call, and until when warnings are being collected (collects; null: this one goes at once); none for a verdict that is not critical.';
revoke all on function public.email_act_05_rows(uuid, text, timestamptz, timestamptz) from public;

-- fact: {deployment_id, verdict, created_at, at}; at is the moment of the cause, from which the letter expires, also when it is
-- replayed
create or replace function public.email_act_05_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
    insert into public.email_outbox (email_type, user_id, project_id, to_email, dedupe_key, payload, run_at, due_at, rank)
    select w.email_type, w.user_id, w.project_id, w.to_email, w.dedupe_key,
        case when w.waits then w.payload || jsonb_build_object('digest', w.until) else w.payload end, m.run_at, m.run_at, w.rank
    from (
        select r.*, f.at, coalesce(r.collects, f.at + r.within) as until,
            -- Of several warnings of one statement the first goes at once.
            not r.urgent and r.within > '0' and (
                r.collects is not null or row_number() over (partition by r.project_id, r.to_email, r.urgent order by f.created_at, f.deployment_id) > 1
            ) as waits
        from jsonb_to_recordset(facts) as f (deployment_id uuid, verdict text, created_at timestamptz, at timestamptz)
        cross join lateral public.email_act_05_rows(f.deployment_id, f.verdict, f.created_at, f.at) r
    ) w
    cross join lateral (select case when w.waits then w.until else coalesce(w.at, public.email_now()) end as run_at) m
    where not exists (select from public.email_journaled(w.dedupe_key))
    on conflict (dedupe_key) do nothing;

    -- What waits as a warning and became worse waits no more.
    update public.email_outbox o set run_at = f.at, payload = o.payload - 'digest' || jsonb_build_object('verdict', f.verdict)
    from jsonb_to_recordset(facts) as f (deployment_id uuid, verdict text, at timestamptz)
    join public.deployments d on d.id = f.deployment_id
    where f.verdict = 'rollback_recommended' and o.email_type = 'E-ACT-05' and o.project_id = d.project_id and o.status = 'queued'
    and o.payload ? 'digest' and o.payload ->> 'deployment_id' = f.deployment_id::text and o.run_at > f.at;
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
            insert into public.email_outbox (email_type, user_id, project_id, to_email, dedupe_key, payload, run_at, due_at, rank)
            select w.email_type, w.user_id, w.project_id, w.to_email, w.dedupe_key,
                case when w.waits then w.payload || jsonb_build_object('digest', w.until) else w.payload end, m.run_at, m.run_at, w.rank
            from (
                select r.*, i.at, coalesce(r.collects, i.at + r.within) as until,
                    not r.urgent and r.within > '0' and (
                        r.collects is not null or row_number() over (partition by r.project_id, r.to_email, r.urgent order by n.created_at, n.deployment_id) > 1
                    ) as waits
                from new_rows n
                cross join (select public.email_now() as at) i
                cross join lateral public.email_act_05_rows(n.deployment_id, n.verdict, n.created_at, i.at) r
                where n.verdict <> 'ok'
            ) w
            cross join lateral (select case when w.waits then w.until else coalesce(w.at, public.email_now()) end as run_at) m
            where not exists (select from public.email_journaled(w.dedupe_key))
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
-- Warnings that were collected go as one letter: the newest of those that still wait and are still true.  Another sidecar may
-- hold some of them, and one may have been committed late: what a letter told of stands in the journal, so that one that is not
-- in it goes by itself.
create or replace function public.email_act_05_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
as $$
begin
    return query
    with rows as materialized (
        select
            o.id, o.dedupe_key, o.project_id, o.to_email, o.payload ->> 'digest' as digest,
            coalesce((o.payload ->> 'deployment_id')::uuid, public.email_key_id(o.dedupe_key, 2)) as deployment_id, t.params -> 'verdicts' as critical
        from public.email_outbox o
        join public.email_types t on t.code = o.email_type
        where o.id = any(ids)
    ),
    collected as materialized (
        select r.id as of, m.id, m.dedupe_key, m.status, m.reason, (m.payload ->> 'deployment_id')::uuid as deployment_id
        from rows r
        join public.email_outbox m
            on m.email_type = 'E-ACT-05' and m.project_id = r.project_id and m.payload ->> 'digest' = r.digest
            and lower(m.to_email) is not distinct from lower(r.to_email)
        where r.digest is not null
    ),
    figures as materialized (
        select f.deployment_id, f.verdict, f.figures
        from public.email_verdict_figures(array(select w.deployment_id from rows w union select c.deployment_id from collected c)) f
    ),
    decided as materialized (
        select r.*, f.verdict, f.figures, told.dedupe_key as told_in, newest.dedupe_key as newest
        from rows r
        left join figures f on f.deployment_id = r.deployment_id
        left join lateral (
            select c.dedupe_key
            from collected c
            join public.email_deliveries j on j.dedupe_key = c.dedupe_key
            where c.of = r.id and c.id <> r.id and c.status in ('sending', 'sent')
            and j.payload_json -> 'context' -> 'others' @> jsonb_build_array(jsonb_build_object('deployment_id', r.deployment_id))
            limit 1
        ) told on true
        left join lateral (
            select c.dedupe_key
            from collected c
            join figures x on x.deployment_id = c.deployment_id
            where c.of = r.id and c.status = 'queued' and r.critical ? x.verdict
            order by c.id desc
            limit 1
        ) newest on true
    )
    select
        d.id,
        case
            when d.figures is null then 'no such deployment'
            when not d.critical ? d.verdict then 'the verdict is ' || d.verdict
            when d.told_in is not null then 'told in the letter of ' || d.told_in
            when d.newest <> d.dedupe_key then 'told in the letter of ' || d.newest
        end,
        coalesce(d.figures, '{}') || coalesce((
            select jsonb_build_object('others', jsonb_agg(x.figures - '{actions,diagnosis,project_id,project_name,plan}'::text[] order by c.id))
            from collected c
            join figures x on x.deployment_id = c.deployment_id
            where c.of = d.id and c.id <> d.id and d.newest = d.dedupe_key and d.critical ? x.verdict
            and (c.status = 'queued' or c.status = 'suppressed' and c.reason = 'told in the letter of ' || d.dedupe_key)
            having count(*) > 0
        ), '{}')
    from decided d;
end
$$;
comment on function public.email_act_05_current(bigint[]) is
'E-ACT-05: true while the deployment is there and its verdict critical, unless the letter of another warning tells of it; the verdict''s figures, and those of the other warnings that this letter tells of.';
revoke all on function public.email_act_05_current(bigint[]) from public;

select public.email_grant('execute on function public.email_act_05_current(bigint[])', 'email_worker');
