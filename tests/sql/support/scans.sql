-- What the tests of the scan-caused codes share; included with \ir, so it lives in the test's own transaction.
-- Time moves by email.clock_offset only: pg_temp.at() sets it so that email_now() is exactly that moment (now() stands still
-- inside the test's transaction).
set client_min_messages = warning;
set timezone = 'UTC';
create extension if not exists pgtap;

create function pg_temp.at(moment timestamptz) returns void language sql
as $$ select set_config('email.clock_offset', extract(epoch from moment - now()) || ' seconds', false) $$;

create function pg_temp.person(address text, signed_up timestamptz, zone text default null, active boolean default true) returns uuid language plpgsql
as $$
declare
    person uuid;
begin
    insert into public.users (name, email, hashed_password, is_active, created_at)
    values (initcap(split_part(address, '@', 1)) || ' Martin', address, 'x', active, signed_up) returning id into person;
    if zone is not null then
        insert into public.email_preferences (user_id, timezone) values (person, zone);
    end if;
    return person;
end
$$;

create function pg_temp.project(owner uuid, title text, created timestamptz, pays text default 'free') returns uuid language sql
as $$
insert into public.projects (name, owner_id, api_key, hmac_secret, plan, created_at)
values (title, owner, gen_random_uuid(), gen_random_uuid(), pays, created) returning id
$$;

-- So many deployments of a project, evenly spread from since to until (not included).
create function pg_temp.deploy(of_project uuid, how_many integer, since timestamptz, until timestamptz, in_state text default 'analyzed') returns void language sql
as $$
insert into public.deployments (deployment_number, project_id, env, state, started_at)
select coalesce((select max(d.deployment_number) from public.deployments d where d.project_id = of_project), 0) + n,
    of_project, 'prod', in_state, since + (n - 1) * (until - since) / how_many
from generate_series(1, how_many) n
$$;

create function pg_temp.judge(of_project uuid, number bigint, words text, pre double precision default null, post double precision default null) returns void language sql
as $$
insert into public.deployment_verdicts (deployment_id, verdict, confidence, created_at)
select d.id, words, 0.9, d.started_at + interval '10 minutes' from public.deployments d where d.project_id = of_project and d.deployment_number = number;
insert into public.metric_samples (deployment_id, phase, requests_per_sec, latency_p95, error_rate, cpu_usage, memory_usage, collected_at)
select d.id, s.phase, 1, s.latency, 0, 0, 0, d.started_at
from public.deployments d cross join (values ('pre', pre), ('post', post)) s (phase, latency)
where d.project_id = of_project and d.deployment_number = number and s.latency is not null
$$;

create function pg_temp.hint(of_project uuid, number bigint, how_bad text, about text default 'latency_p95') returns void language sql
as $$
insert into public.sdh_hints (deployment_id, metric, severity, title, diagnosis)
select d.id, about, how_bad, 't', 'd' from public.deployments d where d.project_id = of_project and d.deployment_number = number
$$;

-- What the claim would decide about the row with this key now.
create function pg_temp.gate(key text) returns table (verdict text, reason text, recipient text, context jsonb) language sql
as $$
select g.verdict, g.reason, g.recipient, g.context
from public.email_outbox o cross join lateral public.email_gates(array[o.id]) g
where o.dedupe_key = key
$$;

-- A letter that went out: the journal knows its key, the outbox row is gone.
create function pg_temp.sent_and_gone(key text) returns void language sql
as $$
insert into public.email_deliveries (user_id, email_type, dedupe_key, status, sent_at)
select o.user_id, o.email_type, o.dedupe_key, 'sent', public.email_now() from public.email_outbox o where o.dedupe_key = key;
delete from public.email_outbox o where o.dedupe_key = key
$$;

create function pg_temp.letters(of_type text) returns bigint language sql
as $$ select count(*) from public.email_outbox o where o.email_type = of_type $$;

-- What a statement answers when this role asks, or the SQLSTATE of its error.
create function pg_temp.as_role(role_name text, statement text) returns text language plpgsql
as $$
declare
    answer text;
begin
    execute format('set local role %I', role_name);
    begin
        execute statement into answer;
    exception when others then
        answer := sqlstate;
    end;
    reset role;
    return answer;
end
$$;

update public.email_types set active_since = '2020-01-01Z';
