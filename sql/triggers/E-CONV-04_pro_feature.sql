-- E-CONV-04  Pro feature attempted                                   marketing, capped, priority 40
--
-- cause       signal pro_feature_attempted {feature}; user_id is who tried, else the project's owner.  The application's own
--             env_forced job causes the same letter (feature multi_env, original_env, forced_env) through the hand-over.
-- when        now
-- key         pro_feature:{user}:{feature}:{month}; the UTC month of the signal.  The application's own: env_forced:{project}:{date}
-- still true  the project is still free; without a project, all of the user's are
-- figures     project_name, project_id; feature where the payload has none
-- params      none
-- reads       projects (id, owner_id, name, plan)

-- Cause ----------------------------------------------------------------------------------------------------------------
create or replace function public.email_conv_04_signal(s public.email_signals) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, payload, run_at)
    select
        t.code, coalesce(s.user_id, p.owner_id, public.email_missing('user_id')::uuid), s.project_id,
        'pro_feature:' || coalesce(s.user_id, p.owner_id) || ':' || coalesce(nullif(btrim(s.payload ->> 'feature'), ''), public.email_missing('feature'))
            || ':' || to_char(s.occurred_at at time zone 'UTC', 'YYYY-MM'),
        s.payload || jsonb_build_object('occurred_at', s.occurred_at, 'signal_id', s.id),
        least(s.occurred_at, public.email_now())
    from public.email_types t
    left join public.projects p on p.id = s.project_id and s.user_id is null
    where t.code = 'E-CONV-04' and t.enabled and s.occurred_at >= t.active_since
    on conflict (dedupe_key) do nothing;
end
$$;
comment on function public.email_conv_04_signal(public.email_signals) is 'E-CONV-04: enqueues what attempts at Pro features cause.';
revoke all on function public.email_conv_04_signal(public.email_signals) from public;

-- fact: {signal_id}
create or replace function public.email_conv_04_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform public.email_conv_04_signal(s) from public.email_signals s where s.id = (facts -> 0 ->> 'signal_id')::bigint;
end
$$;
comment on function public.email_conv_04_enqueue(jsonb) is 'E-CONV-04: what a recorded signal causes, for a replay or a dry run. facts: [{signal_id}].';
revoke all on function public.email_conv_04_enqueue(jsonb) from public;

create or replace trigger email_conv_04_signal after insert on public.email_signals
for each row when (new.kind = 'pro_feature_attempted')
execute function public.email_signal_trigger('E-CONV-04');

-- The same facts, from what the tables still know: for a dry run.
create or replace function public.email_conv_04_facts(since timestamptz, until timestamptz) returns table (happened_at timestamptz, fact jsonb)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select s.occurred_at, jsonb_build_object('signal_id', s.id)
    from public.email_signals s
    where s.kind = 'pro_feature_attempted' and s.occurred_at >= since and s.occurred_at <= until;
end
$$;
comment on function public.email_conv_04_facts(timestamptz, timestamptz) is 'E-CONV-04: the attempts at Pro features of a time, as its facts.';
revoke all on function public.email_conv_04_facts(timestamptz, timestamptz) from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_conv_04_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        o.id,
        case
            when i.project_id is null and exists (
                select from public.projects own where own.owner_id = o.user_id and own.plan <> 'free'
            ) then 'owns a project that is not free'
            when i.project_id is not null and p.id is null then 'no such project'
            when p.plan <> 'free' then 'no longer free'
        end,
        jsonb_strip_nulls(jsonb_build_object(
            'project_name', p.name,
            'project_id', p.id,
            'feature', coalesce(o.payload ->> 'feature', substring(o.dedupe_key from '^pro_feature:[^:]+:(.+):[^:]+$'),
                case when o.dedupe_key like 'env\_forced:%' then 'multi_env' end)
        ))
    from public.email_outbox o
    cross join lateral (
        select coalesce(o.project_id, (o.payload ->> 'project_id')::uuid,
            case when o.dedupe_key like 'env\_forced:%' then public.email_key_id(o.dedupe_key, 2) end) as project_id
    ) i
    left join public.projects p on p.id = i.project_id
    where o.id = any(ids);
end
$$;
comment on function public.email_conv_04_current(bigint[]) is 'E-CONV-04: true while the project, or else all of the user''s, are free; project_name.';
revoke all on function public.email_conv_04_current(bigint[]) from public;

select public.email_grant('execute on function public.email_conv_04_current(bigint[])', 'email_worker');
select public.email_grant('select (id, owner_id, name, plan) on public.projects', 'email_worker');
