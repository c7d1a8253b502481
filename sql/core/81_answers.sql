-- The questions that letters ask with a button, answered on a page of ours: /answer/{letter}-{key}.
--
-- E-SEC-02  Was that you?              login_confirmed or login_disowned {signal_id}
-- E-RET-04  Do you want to stay?       still_active, which counts as activity, so that J37 is suppressed
-- E-RET-02  Shall we look at it?       integration_check_requested, listed in email_requests
--
-- The letter's id says which question; the key, which email_answer_key() makes of the letter's dedupe key and a secret, shows
-- that one has received it.  A question is answered once; a login that was confirmed may still be disowned, not the reverse.
-- SECURITY DEFINER: the sidecar's role may call these and needs no right to write signals.

create or replace function public.email_question(letter uuid, key text)
returns table (code text, answered text[], about jsonb)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select d.email_type::text,
        array(
            select s.kind from public.email_signals s
            where s.idempotency_key in (
                'login_disowned:' || d.dedupe_key, 'login_confirmed:' || d.dedupe_key, 'still_active:' || d.dedupe_key,
                'integration_check_requested:' || d.dedupe_key
            )
        ),
        -- What the letter said itself; gone when its context is.
        coalesce((
            select jsonb_object_agg(c.key, c.value)
            from jsonb_each(case when jsonb_typeof(d.payload_json -> 'context') = 'object' then d.payload_json -> 'context' end) c
            where c.key in ('occurred_at', 'time_zone', 'device', 'city', 'country', 'project_name') and jsonb_typeof(c.value) = 'string'
        ), '{}')
    from public.email_deliveries d
    join public.users u on u.id = d.user_id
    where d.id = letter and d.email_type in ('E-SEC-02', 'E-RET-02', 'E-RET-04')
    and email_question.key = public.email_answer_key(d.dedupe_key)
    and not exists (select from public.email_forgotten f where f.user_id = d.user_id);
end
$$;
comment on function public.email_question(uuid, text) is
'What the page behind a letter''s button asks: the letter''s code, the kinds of signal it was answered with already, and what the letter was about (some of its context''s keys). No row: there is no such letter, the key is not its own, or its recipient is gone or forgotten.';
revoke all on function public.email_question(uuid, text) from public;

create or replace function public.email_answer(letter uuid, key text, answer text) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
    asked record;
    told text;
    its_signal text;
begin
    select q.code, q.answered, d.user_id, d.project_id, d.dedupe_key, d.payload_json -> 'context' as context into asked
    from public.email_question(letter, key) q join public.email_deliveries d on d.id = letter;
    if not found then
        return 'unknown';
    end if;
    told := case asked.code || ' ' || answer
        when 'E-SEC-02 confirmed' then 'login_confirmed'
        when 'E-SEC-02 disowned' then 'login_disowned'
        when 'E-RET-04 active' then 'still_active'
        when 'E-RET-02 check' then 'integration_check_requested'
    end;
    if told is null then
        return 'no answer';
    end if;
    if told = any(asked.answered) then
        return 'answered before';
    end if;
    if told = 'login_confirmed' and 'login_disowned' = any(asked.answered) then
        return 'disowned before';
    end if;
    if asked.code = 'E-SEC-02' then
        its_signal := coalesce(asked.context ->> 'signal_id', substring(asked.dedupe_key from '^suspicious_login:([0-9]+)$'));
    end if;
    if public.email_signal(told, asked.user_id, asked.project_id,
        case when its_signal ~ '^[0-9]{1,18}$' then jsonb_build_object('signal_id', its_signal::bigint) else '{}' end,
        null, told || ':' || asked.dedupe_key) is null
    then
        return 'answered before';
    end if;
    return 'recorded';
end
$$;
comment on function public.email_answer(uuid, text, text) is
'Records the answer to a letter''s question as a signal: recorded; answered before (nothing new); disowned before (a login that was disowned stays so); no answer (this letter does not ask that); unknown (as email_question).';
revoke all on function public.email_answer(uuid, text, text) from public;

-- How many confirm, how many report ------------------------------------------------------------------------------------------
create or replace function public.email_type_kpi_logins(since timestamptz, until timestamptz)
returns table (code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select 'E-SEC-02', k.kpi, false, count(*) filter (where a.disowned = k.counts_disowned), count(*), count(*), null::numeric
    from (
        select bool_or(s.kind = 'login_disowned') as disowned
        from public.email_signals s
        where s.kind in ('login_confirmed', 'login_disowned') and s.occurred_at > since and s.occurred_at <= until
        group by s.user_id, coalesce(s.payload ->> 'signal_id', s.id::text)
    ) a
    cross join (values ('confirmed_rate', false), ('reported_rate', true)) k (kpi, counts_disowned)
    group by k.kpi;
end
$$;
comment on function public.email_type_kpi_logins(timestamptz, timestamptz) is
'A step of email_type_kpi_counts(). E-SEC-02: the logins that their owners answered for in the period, each once: confirmed, or reported, which outweighs a confirmation.';
revoke all on function public.email_type_kpi_logins(timestamptz, timestamptz) from public;

-- What people asked support for ---------------------------------------------------------------------------------------------
create or replace function public.email_requests_now()
returns table (id bigint, kind text, requested_at timestamptz, user_id uuid, name text, email text, project_id uuid, project_name text, letter uuid)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select s.id, s.kind, s.occurred_at, s.user_id, u.name::text, u.email::text, s.project_id, coalesce(p.name, d.payload_json #>> '{context,project_name}')::text, d.id
    from public.email_signals s
    left join public.users u on u.id = s.user_id
    left join public.projects p on p.id = s.project_id
    left join public.email_deliveries d on d.dedupe_key = substr(s.idempotency_key, length(s.kind) + 2)
    where s.kind = 'integration_check_requested'
    and not exists (select from public.email_forgotten f where f.user_id = s.user_id)
    order by s.occurred_at desc, s.id desc;
end
$$;
comment on function public.email_requests_now() is 'The rows of email_requests: a function, so that no view of ours depends on a column of the application''s tables.';
revoke all on function public.email_requests_now() from public;

drop view if exists public.email_requests;
create view public.email_requests as
select r.id, r.kind, r.requested_at, r.user_id, r.name, r.email, r.project_id, r.project_name, r.letter
from public.email_requests_now() r;
comment on view public.email_requests is 'What people asked support for on a page of ours, newest first. A request stays until its signal goes; support answers by mail.';
comment on column public.email_requests.id is 'Of the signal.';
comment on column public.email_requests.kind is 'What was asked: integration_check_requested.';
comment on column public.email_requests.requested_at is 'When.';
comment on column public.email_requests.user_id is 'Who.';
comment on column public.email_requests.name is 'Their name now; null when the account is gone.';
comment on column public.email_requests.email is 'Where to answer: their address now; null when the account is gone.';
comment on column public.email_requests.project_id is 'The project the letter was about; null when it was about none or several.';
comment on column public.email_requests.project_name is 'Its name now, or as the letter had it; null when neither is known.';
comment on column public.email_requests.letter is 'The letter they answered (email_deliveries.id); null when it is gone.';

select public.email_grant(g.privileges, g.role_name)
from (values
    ('email_worker', 'execute on function public.email_question(uuid, text), public.email_answer(uuid, text, text)'),
    ('email_admin', 'execute on function public.email_requests_now()'),
    ('email_admin', 'select on public.email_requests')
) g (role_name, privileges);
