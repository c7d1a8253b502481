-- E-CONV-03  Free quota reached                                      transactional, not capped, priority 70
--
-- cause       signal quota_refused {}; project_id says which project; to its owner
-- when        now
-- key         free_quota_reached:{project}:{month}; the UTC month of the signal
-- still true  the project is still free, and the quota did not start anew: the UTC month of the refusal is not over
-- figures     project_name, project_id, deployments_used (in the month of the refusal), deployments_limit, resets_on
-- params      quota
-- reads       projects (id, owner_id, name, plan), deployments (project_id, started_at)

-- Cause ----------------------------------------------------------------------------------------------------------------
create or replace function public.email_conv_03_signal(s public.email_signals) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, payload, run_at, rank, due_at)
    select r.*, r.run_at
    from (
        select
            t.code, coalesce(p.owner_id, public.email_missing(case when s.project_id is null then 'project_id' else 'owner_id' end)::uuid), s.project_id,
            'free_quota_reached:' || s.project_id || ':' || to_char(s.occurred_at at time zone 'UTC', 'YYYY-MM') as dedupe_key,
            s.payload || jsonb_build_object('occurred_at', s.occurred_at, 'signal_id', s.id),
            least(s.occurred_at, public.email_now()) as run_at, t.priority
        from public.email_types t
        left join public.projects p on p.id = s.project_id
        where t.code = 'E-CONV-03' and t.enabled and s.occurred_at >= t.active_since
    ) r
    where not exists (select from public.email_journaled(r.dedupe_key))
    on conflict (dedupe_key) do nothing;
end
$$;
comment on function public.email_conv_03_signal(public.email_signals) is 'E-CONV-03: enqueues what refused deployments cause.';
revoke all on function public.email_conv_03_signal(public.email_signals) from public;

-- fact: {signal_id}
create or replace function public.email_conv_03_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform public.email_conv_03_signal(s) from public.email_signals s where s.id = (facts -> 0 ->> 'signal_id')::bigint;
end
$$;
comment on function public.email_conv_03_enqueue(jsonb) is 'E-CONV-03: what a recorded signal causes, for a replay or a dry run. facts: [{signal_id}].';
revoke all on function public.email_conv_03_enqueue(jsonb) from public;

create or replace trigger email_conv_03_signal after insert on public.email_signals
for each row when (new.kind = 'quota_refused')
execute function public.email_signal_trigger('E-CONV-03');

-- The same facts, from what the tables still know: for a dry run.
create or replace function public.email_conv_03_facts(since timestamptz, until timestamptz) returns table (happened_at timestamptz, fact jsonb)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select s.occurred_at, jsonb_build_object('signal_id', s.id)
    from public.email_signals s
    where s.kind = 'quota_refused' and s.occurred_at >= since and s.occurred_at <= until;
end
$$;
comment on function public.email_conv_03_facts(timestamptz, timestamptz) is 'E-CONV-03: the refused deployments of a time, as its facts.';
revoke all on function public.email_conv_03_facts(timestamptz, timestamptz) from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_conv_03_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        o.id,
        case
            when p.id is null then 'no such project'
            when p.plan <> 'free' then 'no longer free'
            when public.email_now() >= m.ends then 'the quota has started anew'
        end,
        jsonb_strip_nulls(jsonb_build_object(
            'project_name', p.name,
            'project_id', p.id,
            'deployments_used', (
                select count(*) from public.deployments d
                where d.project_id = p.id and d.started_at >= m.starts and d.started_at < m.ends
            ),
            'deployments_limit', t.params -> 'quota',
            'resets_on', (m.ends at time zone 'UTC')::date
        ))
    from public.email_outbox o
    join public.email_types t on t.code = o.email_type
    cross join lateral (
        select
            date_trunc('month', o.due_at at time zone 'UTC') at time zone 'UTC' as starts,
            (date_trunc('month', o.due_at at time zone 'UTC') + interval '1 month') at time zone 'UTC' as ends
    ) m
    left join public.projects p
        on p.id = coalesce(o.project_id, (o.payload ->> 'project_id')::uuid, public.email_key_id(o.dedupe_key, 2))
    where o.id = any(ids);
end
$$;
comment on function public.email_conv_03_current(bigint[]) is 'E-CONV-03: true while the project is free and the month of the refusal lasts; deployments used, the limit, when it starts anew.';
revoke all on function public.email_conv_03_current(bigint[]) from public;

select public.email_grant('execute on function public.email_conv_03_current(bigint[])', 'email_worker');
select public.email_grant('select (id, name, plan) on public.projects', 'email_worker');
select public.email_grant('select (project_id, started_at) on public.deployments', 'email_worker');
