-- E-BILL-01  Payment failed                                          transactional, not capped, priority 92
--
-- cause       signal payment_failed {invoice_id, amount?, currency?, update_url?}; to the project's owner (without a project to
--             the signal's user).  The same invoice failing again starts nothing new.
-- when        params.steps after it: J0, J+3, J+7, J+10
-- key         payment_failed:{invoice_id}:J0, J3, J7, J10
-- still true  no later signal payment_succeeded of the invoice, nor one without invoice_id of the project (where either names no
--             project: of the user); one that arrives suppresses what is left at once.  And the project, if it is about one, is
--             there and not free
-- figures     project_name, project_id; invoice_id and step where the payload has none
-- params      steps: name and delay of each
-- reads       projects (id, owner_id, name, plan)

-- Cause ----------------------------------------------------------------------------------------------------------------
create or replace function public.email_bill_01_signal(s public.email_signals) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    ids bigint[];
begin
    if s.kind = 'payment_failed' then
        insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, payload, run_at, rank, due_at)
        select r.*, r.run_at
        from (
            select
                t.code,
                coalesce((select p.owner_id from public.projects p where p.id = s.project_id), s.user_id, public.email_missing('user_id')::uuid),
                s.project_id,
                'payment_failed:' || coalesce(nullif(s.payload ->> 'invoice_id', ''), public.email_missing('invoice_id')) || ':' || step.name as dedupe_key,
                s.payload || jsonb_build_object('step', step.name, 'occurred_at', s.occurred_at, 'signal_id', s.id),
                coalesce(s.occurred_at + step.delay::interval, public.email_now()) as run_at, t.priority
            from public.email_types t
            cross join lateral jsonb_each_text(t.params -> 'steps') as step (name, delay)
            where t.code = 'E-BILL-01' and t.enabled and s.occurred_at >= t.active_since
        ) r
        where not exists (select from public.email_journaled(r.dedupe_key))
        on conflict (dedupe_key) do nothing;
    else
        if s.payload ->> 'invoice_id' <> '' then
            ids := array(
                select o.id
                from public.email_types t
                cross join lateral unnest(public.email_step_keys('payment_failed:' || (s.payload ->> 'invoice_id') || ':', t.params)) as k (dedupe_key)
                join public.email_outbox o on o.dedupe_key = k.dedupe_key
                where t.code = 'E-BILL-01' and o.email_type = 'E-BILL-01' and o.status = 'queued'
            );
        else
            ids := array(
                select o.id from public.email_outbox o
                where o.email_type = 'E-BILL-01' and o.status = 'queued' and o.project_id = s.project_id
                union
                select o.id from public.email_outbox o
                where o.email_type = 'E-BILL-01' and o.status = 'queued' and o.user_id = s.user_id
                and (o.project_id is null or s.project_id is null)
            );
        end if;
        -- Few payments are those that a reminder waits for.
        if cardinality(ids) > 0 then
            perform public.email_suppress_untrue('E-BILL-01', ids);
        end if;
    end if;
end
$$;
comment on function public.email_bill_01_signal(public.email_signals) is 'E-BILL-01: enqueues all steps of failed payments, and ends those that a payment made needless.';
revoke all on function public.email_bill_01_signal(public.email_signals) from public;

-- fact: {signal_id}
create or replace function public.email_bill_01_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform public.email_bill_01_signal(s) from public.email_signals s where s.id = (facts -> 0 ->> 'signal_id')::bigint;
end
$$;
comment on function public.email_bill_01_enqueue(jsonb) is 'E-BILL-01: what a recorded signal causes, for a replay or a dry run. facts: [{signal_id}].';
revoke all on function public.email_bill_01_enqueue(jsonb) from public;

create or replace trigger email_bill_01_signal after insert on public.email_signals
for each row when (new.kind in ('payment_failed', 'payment_succeeded'))
execute function public.email_signal_trigger('E-BILL-01');

-- The same facts, from what the tables still know: for a dry run.
create or replace function public.email_bill_01_facts(since timestamptz, until timestamptz) returns table (happened_at timestamptz, fact jsonb)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select s.occurred_at, jsonb_build_object('signal_id', s.id)
    from public.email_signals s
    where s.kind in ('payment_failed', 'payment_succeeded') and s.occurred_at >= since and s.occurred_at <= until;
end
$$;
comment on function public.email_bill_01_facts(timestamptz, timestamptz) is 'E-BILL-01: the failed payments, and payments of a time, as its facts.';
revoke all on function public.email_bill_01_facts(timestamptz, timestamptz) from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_bill_01_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    as_of constant timestamptz := public.email_as_of();
begin
    return query
    select
        o.id,
        case
            -- "Later" by time, and of two at the same time by arrival.
            when (
                select true from public.email_signals s
                where s.kind = 'payment_succeeded' and s.payload ->> 'invoice_id' = i.invoice_id
                and (s.occurred_at, s.id) > (failed.at, failed.signal_id) and s.occurred_at <= as_of
                limit 1
            ) or (
                select true from public.email_signals s
                where s.kind = 'payment_succeeded' and s.project_id = i.project_id and coalesce(s.payload ->> 'invoice_id', '') = ''
                and (s.occurred_at, s.id) > (failed.at, failed.signal_id) and s.occurred_at <= as_of
                limit 1
            ) or (
                select true from public.email_signals s
                where s.kind = 'payment_succeeded' and s.user_id = o.user_id and coalesce(s.payload ->> 'invoice_id', '') = ''
                and (s.project_id is null or i.project_id is null)
                and (s.occurred_at, s.id) > (failed.at, failed.signal_id) and s.occurred_at <= as_of
                limit 1
            ) then 'paid since'
            when i.project_id is not null and p.id is null then 'project is gone'
            when p.plan = 'free' then 'project is not Pro any more'
        end,
        jsonb_strip_nulls(jsonb_build_object(
            'project_name', p.name,
            'project_id', p.id,
            'invoice_id', i.invoice_id,
            'step', i.step
        ))
    from public.email_outbox o
    join public.email_types t on t.code = o.email_type
    cross join lateral (
        select
            coalesce(o.project_id, (o.payload ->> 'project_id')::uuid) as project_id,
            coalesce(o.payload ->> 'invoice_id', substring(o.dedupe_key from '^payment_failed:(.+):[^:]+$')) as invoice_id,
            coalesce(o.payload ->> 'step', public.email_step(o.dedupe_key)) as step
    ) i
    -- A row that was not caused by a signal of ours tells by its step when the payment failed.
    cross join lateral (
        select
            coalesce((o.payload ->> 'occurred_at')::timestamptz, o.due_at - coalesce((t.params -> 'steps' ->> i.step)::interval, '0')) as at,
            coalesce((o.payload ->> 'signal_id')::bigint, 9223372036854775807) as signal_id
    ) failed
    left join public.projects p on p.id = i.project_id
    where o.id = any(ids);
end
$$;
comment on function public.email_bill_01_current(bigint[]) is 'E-BILL-01: true until the invoice is paid or the project is free or gone; project_name.';
revoke all on function public.email_bill_01_current(bigint[]) from public;

select public.email_grant('execute on function public.email_bill_01_current(bigint[])', 'email_worker');
select public.email_grant('select (id, name, plan) on public.projects', 'email_worker');
