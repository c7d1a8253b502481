-- E-ADV-02  Review request to a promoter                             marketing, capped, priority 16
--
-- cause       signal nps_answered {score 0-10, comment?} with a score of at least params.min_score (9)
-- when        params.delay (1 day) after it
-- key         review_request:{user}
-- still true  always
-- figures     none: the payload carries score
-- params      delay, min_score
-- reads       email_signals only

-- Cause ----------------------------------------------------------------------------------------------------------------
create or replace function public.email_adv_02_signal(s public.email_signals) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, payload, run_at, rank, due_at)
    select r.*, r.run_at
    from (
        select
            t.code, coalesce(s.user_id, public.email_missing('user_id')::uuid), s.project_id, 'review_request:' || s.user_id as dedupe_key,
            jsonb_build_object('score', s.payload -> 'score', 'signal_id', s.id),
            coalesce(s.occurred_at + (t.params ->> 'delay')::interval, public.email_now()) as run_at, t.priority
        from public.email_types t
        where t.code = 'E-ADV-02' and t.enabled and s.occurred_at >= t.active_since
        and coalesce(s.payload ->> 'score', public.email_missing('score'))::numeric >= (t.params ->> 'min_score')::numeric
    ) r
    where not exists (select from public.email_journaled(r.dedupe_key))
    on conflict (dedupe_key) do nothing;
end
$$;
comment on function public.email_adv_02_signal(public.email_signals) is 'E-ADV-02: enqueues what answers of promoters cause.';
revoke all on function public.email_adv_02_signal(public.email_signals) from public;

-- fact: {signal_id}
create or replace function public.email_adv_02_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform public.email_adv_02_signal(s) from public.email_signals s where s.id = (facts -> 0 ->> 'signal_id')::bigint;
end
$$;
comment on function public.email_adv_02_enqueue(jsonb) is 'E-ADV-02: what a recorded signal causes, for a replay or a dry run. facts: [{signal_id}].';
revoke all on function public.email_adv_02_enqueue(jsonb) from public;

create or replace trigger email_adv_02_signal after insert on public.email_signals
for each row when (new.kind = 'nps_answered')
execute function public.email_signal_trigger('E-ADV-02');

-- The same facts, from what the tables still know: for a dry run.
create or replace function public.email_adv_02_facts(since timestamptz, until timestamptz) returns table (happened_at timestamptz, fact jsonb)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select s.occurred_at, jsonb_build_object('signal_id', s.id)
    from public.email_signals s
    where s.kind = 'nps_answered' and s.occurred_at >= since and s.occurred_at <= until;
end
$$;
comment on function public.email_adv_02_facts(timestamptz, timestamptz) is 'E-ADV-02: the answers of a time, as its facts.';
revoke all on function public.email_adv_02_facts(timestamptz, timestamptz) from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_adv_02_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select o.id, null::text, '{}'::jsonb from public.email_outbox o where o.id = any(ids);
end
$$;
comment on function public.email_adv_02_current(bigint[]) is 'E-ADV-02: always true; no figures.';
revoke all on function public.email_adv_02_current(bigint[]) from public;

select public.email_grant('execute on function public.email_adv_02_current(bigint[])', 'email_worker');
