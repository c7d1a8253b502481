-- What the tests of letters share; included by each with \ir, inside its transaction.
--
-- Inside one transaction now() stands still, and only email.clock_offset moves email_now(): that is how tests move time.
-- Sabotage makes warnings by design.
set client_min_messages = error;
create extension if not exists pgtap;
select public.email_arm() \g /dev/null

create schema fixture;

-- Facts of the application ----------------------------------------------------------------------------------------------
create function fixture.account(name text, active boolean default true) returns uuid
language sql
as $$
insert into public.users (name, email, hashed_password, is_active)
values (initcap(name) || ' Martin', name || '@example.com', 'x', active)
returning id
$$;

create function fixture.project(owner uuid, name text default 'API Gateway', plan text default 'free') returns uuid
language sql
as $$
insert into public.projects (owner_id, name, plan, api_key, hmac_secret, envs)
values (owner, name, plan, gen_random_uuid()::text, gen_random_uuid()::text, '{prod,staging}')
returning id
$$;

create function fixture.deployment(project uuid, number integer default 1, state text default 'running', started_at timestamptz default now(), env text default null)
returns uuid
language sql
as $$
insert into public.deployments (project_id, deployment_number, state, started_at, finished_at, env)
values (project, number, state, started_at, case when state in ('finished', 'analyzed') then started_at + interval '5 minutes' end,
    coalesce(env, 'env-' || number))
returning id
$$;

create function fixture.verdict(deployment uuid, verdict text) returns uuid
language sql
as $$
-- In the words of the application; more of them: verdicts.sql.
insert into public.deployment_verdicts (deployment_id, verdict, confidence, summary, details)
select deployment, verdict, w.confidence, w.summary, w.details || '{data_quality_score 1.00}'
from (values
    ('ok', 0.9, 'No significant issues detected', '{}'::text[]),
    ('warning', 0.7, 'Multiple non-critical threshold violations detected', '{cpu_usage unstable in 100% of samples (limit 20%)}'),
    ('rollback_recommended', 0.85, 'Critical threshold violations detected', '{requests_per_sec unstable in 80% of samples (limit 20%)}')
) w (verdict, confidence, summary, details)
where w.verdict = verdict.verdict
returning id
$$;

create function fixture.signal(kind text, user_id uuid default null, project_id uuid default null, payload jsonb default '{}', occurred_at timestamptz default null)
returns bigint
language sql
as $$
select public.email_signal(kind, user_id, project_id, payload, occurred_at)
$$;

-- What came of them -----------------------------------------------------------------------------------------------------
-- Rows of one code, in the order they fall due.
create function fixture.rows_of(code text) returns setof public.email_outbox
language sql
as $$
select * from public.email_outbox where email_type = code order by due_at, id
$$;

create function fixture.keys_of(code text) returns text[]
language sql
as $$
select coalesce(array_agg(r.dedupe_key order by r.due_at, r.id), '{}') from fixture.rows_of(code) r
$$;

create function fixture.row_of(key text) returns public.email_outbox
language sql
as $$
select o from public.email_outbox o where o.dedupe_key = key
$$;

create function fixture.errors_of(code text) returns setof public.email_trigger_errors
language sql
as $$
select * from public.email_trigger_errors where email_type = code order by id
$$;

-- The gates' word on a row: 'send', or verdict and reason.
create function fixture.gate_of(key text) returns text
language sql
as $$
select g.verdict || coalesce(': ' || g.reason, '')
from public.email_outbox o
cross join lateral public.email_gates(array[o.id]) g
where o.dedupe_key = key
$$;

-- What the letter says; what only its links need is the matter of buttons.sql and answers.sql.
create function fixture.context_of(key text) returns jsonb
language sql
as $$
select g.context - '{cta_path,project_slug,unique_slug,owner_email,answer_key}'::text[]
from public.email_outbox o
cross join lateral public.email_gates(array[o.id]) g
where o.dedupe_key = key
$$;

create function fixture.recipient_of(key text) returns text
language sql
as $$
select g.recipient
from public.email_outbox o
cross join lateral public.email_gates(array[o.id]) g
where o.dedupe_key = key
$$;

-- A sidecar that claims everything due and has it accepted; answers how many letters went out.
create function fixture.send_due() returns integer
language plpgsql
as $$
declare
    batch record;
    sent integer := 0;
begin
    loop
        select c.batch_id, array_agg(c.id) as ids, count(*)::integer as members into batch
        from public.email_claim('fixture', 'console', 100, interval '1 minute') c
        group by c.batch_id;
        if not found then
            -- A claim may end rows without sending any.
            exit when not exists (
                select from public.email_outbox o where o.status = 'queued' and o.retry_at is null and o.run_at <= public.email_now()
            );
            continue;
        end if;
        perform public.email_settle('fixture', batch.batch_id, batch.ids, array_fill('sent'::text, array[batch.members]),
            batch.ids::text[], array_fill(null::text, array[batch.members]), array_fill('subject'::text, array[batch.members]),
            array_fill(null::double precision, array[batch.members]));
        sent := sent + batch.members;
    end loop;
    return sent;
end
$$;

create function fixture.move_clock(by interval) returns void
language sql
as $$
select set_config('email.clock_offset', by::text, true)
$$;

-- Rule 1: whatever is broken on our side, the application's statement goes through -------------------------------------------
-- The ways to break us, each by one statement; every one is undone by the savepoint around it.
-- noted null: noted, or else queued all the same.
create table fixture.sabotage (what text, statement text, noted boolean);
insert into fixture.sabotage values
('the outbox is renamed', 'alter table public.email_outbox rename to gone', true),
('the outbox is dropped', 'drop table public.email_outbox cascade', true),
('the catalogue is renamed', 'alter table public.email_types rename to gone', true),
('the catalogue is dropped', 'drop table public.email_types cascade', true),
-- Where the key is made of a row that the statement made itself, the journal is not asked.
('the journal is renamed', 'alter table public.email_deliveries rename to gone', null),
-- The letter is enqueued; only nobody is woken for it.
('the settings are renamed', 'alter table public.email_settings rename to gone', false),
('the clock is dropped', 'drop function public.email_now() cascade', false),
('the guard is dropped', 'drop function public.email_guard(text, text, jsonb, text, text); alter table public.email_outbox rename to gone', false),
('the notes are gone too', 'alter table public.email_trigger_errors rename to gone; alter table public.email_outbox rename to gone_too', false),
('the outbox refuses everything', 'alter table public.email_outbox add constraint refuses check (false) not valid', true);

-- Breaks us in each way and runs the application's statement; answers the ways in which it failed or, where it should have
-- been, was not noted for this code.
create function fixture.broken_by(code text, app_statement text, only_ways text default '%') returns setof text
language plpgsql
as $$
declare
    way record;
    notes bigint;
    queued bigint;
    outcome text;
begin
    for way in
        select s.* from fixture.sabotage s where s.what like only_ways
        union all
        select 'the code''s own functions are dropped', (
            select 'drop function ' || string_agg(p.oid::regprocedure::text, ', ') from pg_proc p
            where p.proname in (public.email_function(code, 'enqueue'), public.email_function(code, 'rows'), public.email_function(code, 'signal'))
        ), true
    loop
        outcome := null;
        select count(*) into queued from public.email_outbox o where o.email_type = code;
        begin
            execute way.statement;
            begin
                execute app_statement;
            exception when others then
                outcome := way.what || ': ' || sqlerrm;
            end;
            if outcome is null and way.noted is not false then
                execute 'select count(*) from public.email_trigger_errors where email_type = $1 and row_data is not null' into notes using code;
                if way.noted is null then
                    notes := notes + (select count(*) from public.email_outbox o where o.email_type = code) - queued;
                end if;
                if notes = 0 then
                    outcome := way.what || ': not noted';
                end if;
            end if;
            raise exception using errcode = 'ZZ001';
        exception when sqlstate 'ZZ001' then
            null; -- undone
        end;
        if outcome is not null then
            return next outcome;
        end if;
    end loop;
end
$$;

-- The notes of a code after the application lost a column of its own and ran a statement; undone.
create function fixture.notes_without(code text, loss text, app_statement text) returns setof jsonb
language plpgsql
as $$
declare
    notes jsonb;
    note jsonb;
begin
    begin
        execute loss;
        execute app_statement;
        notes := (select jsonb_agg(jsonb_build_object('error', e.error, 'row_data', e.row_data) order by e.id) from fixture.errors_of(code) e);
        raise exception using errcode = 'ZZ001';
    exception when sqlstate 'ZZ001' then
        null; -- undone
    end;
    for note in select n from jsonb_array_elements(notes) n loop
        return next note;
    end loop;
end
$$;

-- Breaks us once, runs the application's statement, mends us and replays; answers the keys of the code that this added.
create function fixture.replayed_keys(code text, app_statement text) returns text[]
language plpgsql
as $$
declare
    before text[] := fixture.keys_of(code);
begin
    alter table public.email_outbox rename to gone;
    execute app_statement;
    alter table public.gone rename to email_outbox;
    perform public.email_replay_errors();
    return array(select r.dedupe_key from fixture.rows_of(code) r where r.dedupe_key <> all(before));
end
$$;
