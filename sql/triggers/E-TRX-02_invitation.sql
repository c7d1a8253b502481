-- E-TRX-02  Invitation to a project                                  transactional, not capped, priority 90
--
-- cause       signal invitation_created {invitation_id, invitee_email, inviter_name?, accept_url?}; user_id is the inviter
-- when        params.steps after it: J0, J+2, J+5
-- key         invitation:{invitation_id}:J0, J2, J5; to_email is invitee_email
-- still true  no signal invitation_accepted or invitation_revoked names the invitation (either suppresses what is left at once)
-- figures     project_name, project_id; inviter_email (none where GitHub gave an address that takes no mail);
--             inviter_name, invitation_id and step where the payload has none
-- params      steps: name and delay of each
-- reads       users (id, name, email), projects (id, name)

-- Cause ----------------------------------------------------------------------------------------------------------------
create or replace function public.email_trx_02_signal(s public.email_signals) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    keys text[];
begin
    if s.kind = 'invitation_created' then
        insert into public.email_outbox (email_type, user_id, project_id, to_email, dedupe_key, payload, run_at, rank, due_at)
        select r.*, r.run_at
        from (
            select
                t.code, coalesce(s.user_id, public.email_missing('user_id')::uuid), s.project_id, nullif(btrim(s.payload ->> 'invitee_email'), ''),
                'invitation:' || coalesce(nullif(s.payload ->> 'invitation_id', ''), public.email_missing('invitation_id')) || ':' || step.name as dedupe_key,
                s.payload || jsonb_build_object('step', step.name, 'signal_id', s.id),
                coalesce(s.occurred_at + step.delay::interval, public.email_now()) as run_at, t.priority
            from public.email_types t
            cross join lateral jsonb_each_text(t.params -> 'steps') as step (name, delay)
            where t.code = 'E-TRX-02' and t.enabled and s.occurred_at >= t.active_since
        ) r
        where not exists (select from public.email_journaled(r.dedupe_key))
        on conflict (dedupe_key) do nothing;
    else
        keys := (
            select public.email_step_keys('invitation:' || coalesce(nullif(s.payload ->> 'invitation_id', ''), public.email_missing('invitation_id')) || ':', t.params)
            from public.email_types t
            where t.code = 'E-TRX-02'
        );
        perform public.email_suppress_untrue('E-TRX-02', array(
            select o.id from public.email_outbox o
            where o.email_type = 'E-TRX-02' and o.status = 'queued' and o.dedupe_key = any(keys)
        ));
    end if;
end
$$;
comment on function public.email_trx_02_signal(public.email_signals) is 'E-TRX-02: enqueues all steps of invitations, and ends those of accepted and revoked ones.';
revoke all on function public.email_trx_02_signal(public.email_signals) from public;

-- fact: {signal_id}
create or replace function public.email_trx_02_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform public.email_trx_02_signal(s) from public.email_signals s where s.id = (facts -> 0 ->> 'signal_id')::bigint;
end
$$;
comment on function public.email_trx_02_enqueue(jsonb) is 'E-TRX-02: what a recorded signal causes, for a replay or a dry run. facts: [{signal_id}].';
revoke all on function public.email_trx_02_enqueue(jsonb) from public;

create or replace trigger email_trx_02_signal after insert on public.email_signals
for each row when (new.kind in ('invitation_created', 'invitation_accepted', 'invitation_revoked'))
execute function public.email_signal_trigger('E-TRX-02');

-- A row that was inserted by hand would otherwise go to the inviter, whose user_id it carries.
create or replace function public.email_trx_02_address() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    new.to_email := nullif(btrim(new.payload ->> 'invitee_email'), '');
    return new;
end
$$;
comment on function public.email_trx_02_address() is 'E-TRX-02: before a row without to_email is inserted, takes the invited person''s address from its payload.';
revoke all on function public.email_trx_02_address() from public;

create or replace trigger email_trx_02_address before insert on public.email_outbox
for each row when (new.email_type = 'E-TRX-02' and new.to_email is null)
execute function public.email_trx_02_address();

-- The same facts, from what the tables still know: for a dry run.
create or replace function public.email_trx_02_facts(since timestamptz, until timestamptz) returns table (happened_at timestamptz, fact jsonb)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select s.occurred_at, jsonb_build_object('signal_id', s.id)
    from public.email_signals s
    where s.kind in ('invitation_created', 'invitation_accepted', 'invitation_revoked') and s.occurred_at >= since and s.occurred_at <= until;
end
$$;
comment on function public.email_trx_02_facts(timestamptz, timestamptz) is 'E-TRX-02: the invitations, and what ended them of a time, as its facts.';
revoke all on function public.email_trx_02_facts(timestamptz, timestamptz) from public;

-- Still true, and fresh figures -------------------------------------------------------------------------------------------
create or replace function public.email_trx_02_current(ids bigint[])
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
        -- Raised for the row alone (see email_current): it ends failed rather than at the inviter's address.
        case when coalesce(o.to_email, public.email_missing('invitee_email')) is not null then (
            select case s.kind when 'invitation_accepted' then 'invitation accepted' else 'invitation revoked' end
            from public.email_signals s
            where s.payload ->> 'invitation_id' = i.invitation_id and s.kind in ('invitation_accepted', 'invitation_revoked') and s.occurred_at <= as_of
            order by s.id
            limit 1
        ) end,
        jsonb_strip_nulls(jsonb_build_object(
            'project_name', p.name,
            'project_id', p.id,
            'invitation_id', i.invitation_id,
            'step', coalesce(o.payload ->> 'step', public.email_step(o.dedupe_key)),
            'inviter_name', coalesce(nullif(btrim(o.payload ->> 'inviter_name'), ''), u.name),
            'inviter_email', case when u.email not like '%@users.noreply.github.com' then u.email end
        ))
    from public.email_outbox o
    cross join lateral (
        select coalesce(o.payload ->> 'invitation_id', substring(o.dedupe_key from '^invitation:(.+):[^:]+$')) as invitation_id
    ) i
    left join public.projects p on p.id = coalesce(o.project_id, (o.payload ->> 'project_id')::uuid)
    left join public.users u on u.id = o.user_id
    where o.id = any(ids);
end
$$;
comment on function public.email_trx_02_current(bigint[]) is 'E-TRX-02: true until the invitation is accepted or revoked; project_name, inviter_name, inviter_email.';
revoke all on function public.email_trx_02_current(bigint[]) from public;

select public.email_grant('execute on function public.email_trx_02_current(bigint[])', 'email_worker');
select public.email_grant('select (id, name, email) on public.users', 'email_worker');
select public.email_grant('select (id, name) on public.projects', 'email_worker');
