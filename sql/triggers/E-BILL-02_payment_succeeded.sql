-- E-BILL-02  Payment succeeded                                       transactional, not capped, priority 85
--
-- cause       signal payment_succeeded {invoice_id, amount, currency, invoice_url?}; to the project's owner (without a project
--             to the signal's user)
-- when        now
-- key         payment_succeeded:{invoice_id}
-- still true  always
-- figures     project_name, project_id, invoice_id where the payload has none; payment: renewal when the project (without one the
--             user) paid before, first when it did not, no payment failed, and it was created or upgraded within the month before, else left out:
--             nothing tells what was paid before this was installed; month (the last full UTC month before the payment) and its
--             deployments, analysed (those with a verdict), warnings, rollbacks and failed_pipelines, left out when the project
--             had no deployment in it
-- params      none
-- reads       projects (id, owner_id, name, created_at), deployments (id, project_id, started_at, pipeline_result),
--             deployment_verdicts (deployment_id, verdict)

-- Cause ----------------------------------------------------------------------------------------------------------------
create or replace function public.email_bill_02_signal(s public.email_signals) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, payload, run_at, rank, due_at)
    select r.*, r.run_at
    from (
        select
            t.code, coalesce(p.owner_id, s.user_id, public.email_missing('user_id')::uuid), s.project_id,
            'payment_succeeded:' || coalesce(nullif(s.payload ->> 'invoice_id', ''), public.email_missing('invoice_id')) as dedupe_key,
            s.payload || jsonb_build_object('occurred_at', s.occurred_at, 'signal_id', s.id),
            least(s.occurred_at, public.email_now()) as run_at, t.priority
        from public.email_types t
        left join public.projects p on p.id = s.project_id
        where t.code = 'E-BILL-02' and t.enabled and s.occurred_at >= t.active_since
    ) r
    where not exists (select from public.email_journaled(r.dedupe_key))
    on conflict (dedupe_key) do nothing;
end
$$;
comment on function public.email_bill_02_signal(public.email_signals) is 'E-BILL-02: enqueues what payments cause.';
revoke all on function public.email_bill_02_signal(public.email_signals) from public;

-- fact: {signal_id}
create or replace function public.email_bill_02_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform public.email_bill_02_signal(s) from public.email_signals s where s.id = (facts -> 0 ->> 'signal_id')::bigint;
end
$$;
comment on function public.email_bill_02_enqueue(jsonb) is 'E-BILL-02: what a recorded signal causes, for a replay or a dry run. facts: [{signal_id}].';
revoke all on function public.email_bill_02_enqueue(jsonb) from public;

create or replace trigger email_bill_02_signal after insert on public.email_signals
for each row when (new.kind = 'payment_succeeded')
execute function public.email_signal_trigger('E-BILL-02');

-- The same facts, from what the tables still know: for a dry run.
create or replace function public.email_bill_02_facts(since timestamptz, until timestamptz) returns table (happened_at timestamptz, fact jsonb)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select s.occurred_at, jsonb_build_object('signal_id', s.id)
    from public.email_signals s
    where s.kind = 'payment_succeeded' and s.occurred_at >= since and s.occurred_at <= until;
end
$$;
comment on function public.email_bill_02_facts(timestamptz, timestamptz) is 'E-BILL-02: the payments of a time, as its facts.';
revoke all on function public.email_bill_02_facts(timestamptz, timestamptz) from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_bill_02_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        o.id,
        null::text,
        jsonb_strip_nulls(jsonb_build_object(
            'project_name', p.name,
            'project_id', p.id,
            'invoice_id', coalesce(o.payload ->> 'invoice_id', substring(o.dedupe_key from '^payment_succeeded:(.+)$')),
            'payment', case
                when exists (
                    select from public.email_signals s
                    where s.kind = 'payment_succeeded' and s.project_id = i.project_id and s.occurred_at < c.paid_at
                ) or i.project_id is null and exists (
                    select from public.email_signals s
                    where s.kind = 'payment_succeeded' and s.user_id = o.user_id and s.project_id is null and s.occurred_at < c.paid_at
                ) then 'renewal'
                when exists (
                    select from public.email_signals s
                    where s.kind = 'payment_failed' and s.project_id = i.project_id and s.occurred_at < c.paid_at
                ) then null
                when p.created_at >= c.paid_at - interval '1 month' or exists (
                    select from public.email_signals s
                    where s.kind = 'plan_changed' and s.project_id = i.project_id
                    and s.occurred_at >= c.paid_at - interval '1 month' and s.occurred_at <= c.paid_at + interval '1 day'
                    and s.payload ->> 'from' = 'free' and s.payload ->> 'to' <> 'free'
                ) then 'first'
            end,
            'month', case when v.deployments > 0 then to_char(m.starts at time zone 'UTC', 'YYYY-MM') end,
            'deployments', nullif(v.deployments, 0),
            'warnings', case when v.deployments > 0 then v.warnings end,
            'analysed', case when v.deployments > 0 then v.analysed end,
            'rollbacks', case when v.deployments > 0 then v.rollbacks end,
            'failed_pipelines', case when v.deployments > 0 then v.failed_pipelines end
        ))
    from public.email_outbox o
    cross join lateral (
        select coalesce((o.payload ->> 'occurred_at')::timestamptz, o.due_at) as paid_at, coalesce(o.project_id, (o.payload ->> 'project_id')::uuid) as project_id
    ) i
    cross join lateral (select i.paid_at, date_trunc('month', i.paid_at at time zone 'UTC') as this_month) c
    cross join lateral (
        select (c.this_month - interval '1 month') at time zone 'UTC' as starts, c.this_month at time zone 'UTC' as ends
    ) m
    left join public.projects p on p.id = i.project_id
    left join lateral (
        select
            count(*) as deployments,
            count(dv.deployment_id) as analysed,
            count(*) filter (where d.pipeline_result = 'failed') as failed_pipelines,
            count(*) filter (where dv.verdict = 'warning') as warnings,
            count(*) filter (where dv.verdict = 'rollback_recommended') as rollbacks
        from public.deployments d
        left join public.deployment_verdicts dv on dv.deployment_id = d.id
        where d.project_id = p.id and d.started_at >= m.starts and d.started_at < m.ends
    ) v on true
    where o.id = any(ids);
end
$$;
comment on function public.email_bill_02_current(bigint[]) is 'E-BILL-02: always true; project_name, whether it is the first payment or a renewal, and what the month before it was worth.';
revoke all on function public.email_bill_02_current(bigint[]) from public;

select public.email_grant('execute on function public.email_bill_02_current(bigint[])', 'email_worker');
select public.email_grant('select (id, name, created_at) on public.projects', 'email_worker');
select public.email_grant('select (id, project_id, started_at, pipeline_result) on public.deployments', 'email_worker');
select public.email_grant('select (deployment_id, verdict) on public.deployment_verdicts', 'email_worker');
