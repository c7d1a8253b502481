-- E-CONV-04  Pro feature attempted                                   marketing, capped, priority 40
--
-- cause       signal pro_feature_attempted {feature}; user_id is who tried, else the project's owner.  The application's own
--             env_forced job causes the same letter (feature multi_env, original_env, forced_env) through the hand-over.
-- when        now
-- key         pro_feature:{user}:{feature}:{month}; the UTC month of the signal, or of the day in the key of the application's job
-- one letter  names all that the user tried until it leaves: the first row of those that wait becomes the letter, the others are
--             suppressed as named in it.  What is tried within params.quiet after it is suppressed.
-- still true  one of the projects it was tried on is still free (without a project: all of the user's are), and no such letter went
--             to the user within params.quiet (7 days)
-- figures     features: what was tried, each with feature, project_name, original_env, forced_env; feature, the first of them;
--             project_name and project_id where all are about one project
-- params      quiet
-- reads       projects (id, owner_id, name, plan)

-- Cause ----------------------------------------------------------------------------------------------------------------
create or replace function public.email_conv_04_signal(s public.email_signals) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, payload, run_at, rank, due_at)
    select r.*, r.run_at
    from (
        select
            t.code, coalesce(s.user_id, p.owner_id, public.email_missing('user_id')::uuid), s.project_id,
            'pro_feature:' || coalesce(s.user_id, p.owner_id) || ':' || coalesce(nullif(btrim(s.payload ->> 'feature'), ''), public.email_missing('feature'))
                || ':' || to_char(s.occurred_at at time zone 'UTC', 'YYYY-MM') as dedupe_key,
            s.payload || jsonb_build_object('occurred_at', s.occurred_at, 'signal_id', s.id),
            least(s.occurred_at, public.email_now()) as run_at, t.priority
        from public.email_types t
        left join public.projects p on p.id = s.project_id and s.user_id is null
        where t.code = 'E-CONV-04' and t.enabled and s.occurred_at >= t.active_since
    ) r
    where not exists (select from public.email_journaled(r.dedupe_key))
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
-- What the letters of these rows' users are about: the rows themselves, the others that wait, and those that were left to another one.
create or replace function public.email_conv_04_attempts(ids bigint[])
returns table (id bigint, user_id uuid, key text, due_at timestamptz, waits boolean, named_in text, feature text, project_id uuid, project_name text,
    original_env text, forced_env text, untrue text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
select o.id, o.user_id, o.dedupe_key, o.due_at, o.status = 'queued' and o.batch_id is null and o.due_at <= public.email_now() and o.due_at + t.expires_after > public.email_now(),
    case when o.status = 'suppressed' then substring(o.reason from '^named in the letter (.*)$') end,
    coalesce(o.payload ->> 'feature', substring(o.dedupe_key from '^pro_feature:[^:]+:(.+):[^:]+$'), case when o.dedupe_key like 'env\_forced:%' then 'multi_env' end),
    p.id, p.name, o.payload ->> 'original_env', o.payload ->> 'forced_env',
    case
        when i.project_id is null and exists (
            select from public.projects own where own.owner_id = o.user_id and own.plan <> 'free'
        ) then 'owns a project that is not free'
        when i.project_id is not null and p.id is null then 'no such project'
        when p.plan <> 'free' then 'no longer free'
    end
from public.email_outbox o
join public.email_types t on t.code = o.email_type
cross join lateral (
    select coalesce(o.project_id, (o.payload ->> 'project_id')::uuid,
        case when o.dedupe_key like 'env\_forced:%' then public.email_key_id(o.dedupe_key, 2) end) as project_id
) i
left join public.projects p on p.id = i.project_id
where o.user_id = any(array(select x.user_id from public.email_outbox x where x.id = any(ids)))
and o.email_type = 'E-CONV-04' and (o.status in ('queued', 'suppressed') or o.id = any(ids))
$$;
comment on function public.email_conv_04_attempts(bigint[]) is
'The attempts of the users of these rows, those that wait for a letter or were left to one: key, whether it may still be claimed, the key of the letter that names it instead, what was tried on which project with which environments, and why it is not true any more.';
revoke all on function public.email_conv_04_attempts(bigint[]) from public;

create or replace function public.email_conv_04_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    quiet constant interval := (select coalesce((t.params ->> 'quiet')::interval, '7 days') from public.email_types t where t.code = 'E-CONV-04');
begin
    return query
    with attempts as materialized (
        select a.* from public.email_conv_04_attempts(ids) a
    )
    select o.id,
        case
            when tried.features is null or first.key is not null and own.untrue is not null then own.untrue
            when l.went_at is not null then format('such a letter went out on %s, and params.quiet is %s', to_char(l.went_at at time zone 'UTC', 'YYYY-MM-DD'), quiet)
            when first.key is not null then 'named in the letter ' || first.key
        end,
        coalesce(tried.context, jsonb_strip_nulls(jsonb_build_object('feature', own.feature, 'project_name', own.project_name, 'project_id', own.project_id)))
    from public.email_outbox o
    join attempts own on own.id = o.id
    left join lateral (
        select a.key from attempts a
        where a.user_id = o.user_id and a.waits and (a.due_at, a.id) < (o.due_at, o.id)
        order by a.due_at, a.id
        limit 1
    ) first on true
    cross join lateral (
        select jsonb_agg(f.feature order by f.at, f.id) as features,
            jsonb_strip_nulls(jsonb_build_object(
                'features', jsonb_agg(f.feature order by f.at, f.id),
                'feature', (array_agg(f.feature ->> 'feature' order by f.at, f.id))[1],
                'project_name', case when count(distinct coalesce(f.project_id::text, '')) = 1 then min(f.feature ->> 'project_name') end,
                'project_id', case when count(distinct coalesce(f.project_id::text, '')) = 1 then min(f.project_id::text) end
            )) as context
        from (
            -- The same thing tried again, on the same project, is named once.
            select a.project_id, min(a.due_at) as at, min(a.id) as id,
                jsonb_strip_nulls(jsonb_build_object('feature', a.feature, 'project_name', min(a.project_name),
                    'original_env', min(a.original_env), 'forced_env', min(a.forced_env))) as feature
            from attempts a
            where a.user_id = o.user_id and a.untrue is null and (a.id = o.id or a.waits or a.named_in = o.dedupe_key)
            group by a.project_id, a.feature
        ) f
    ) tried
    cross join lateral public.email_last_letter(o.user_id, o.email_type, o.dedupe_key, quiet) l
    where o.id = any(ids);
end
$$;
comment on function public.email_conv_04_current(bigint[]) is
'E-CONV-04: true while one of the projects is free and no such letter went out lately; with all that the user tried until the letter leaves.';
revoke all on function public.email_conv_04_current(bigint[]) from public;

select public.email_grant('execute on function public.email_conv_04_attempts(bigint[]), public.email_conv_04_current(bigint[])', 'email_worker');
select public.email_grant('select (id, owner_id, name, plan) on public.projects', 'email_worker');
