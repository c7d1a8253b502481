-- Facts and letters at a given age in days, for the tests of figures; included after fixtures.sql.
create schema kpi;
create table kpi.names (name text primary key, id uuid not null);
create function kpi.id(name text) returns uuid language sql as $$ select n.id from kpi.names n where n.name = $1 $$;
create function kpi.day(age numeric) returns timestamptz language sql as $$ select now() - age * interval '1 day' $$;

create function kpi.person(name text, age numeric, consent boolean default false) returns void
language plpgsql
as $$
declare
    made uuid := fixture.account(name);
begin
    update public.users u set created_at = kpi.day(age) where u.id = made;
    insert into kpi.names values (name, made);
    if consent then
        insert into public.email_preferences (user_id, tracking_consent) values (made, true);
    end if;
end
$$;

-- So long after that age.
create function kpi.project(owner text, name text, age numeric, after interval default '0', plan text default 'free') returns void
language plpgsql
as $$
declare
    made uuid := fixture.project(kpi.id(owner), name, plan);
begin
    update public.projects p set created_at = kpi.day(age) + after where p.id = made;
    insert into kpi.names values (name, made);
end
$$;

create function kpi.deployment(project text, age numeric, state text default 'running', env text default null) returns uuid
language sql
as $$
select fixture.deployment(kpi.id(project), (select count(*)::integer + 1 from public.deployments d where d.project_id = kpi.id(project)), state, kpi.day(age), env)
$$;

create function kpi.plan(project text, from_plan text, to_plan text, age numeric) returns bigint
language sql
as $$
select fixture.signal('plan_changed', (select p.owner_id from public.projects p where p.id = kpi.id(project)), kpi.id(project),
    jsonb_build_object('from', from_plan, 'to', to_plan), kpi.day(age))
$$;

create function kpi.login(who text, age numeric) returns bigint
language sql
as $$
select fixture.signal('login', kpi.id(who), null, '{}', kpi.day(age))
$$;

create function kpi.payment(outcome text, invoice text, age numeric) returns bigint
language sql
as $$
select fixture.signal('payment_' || outcome, kpi.id('ada'), kpi.id('a'),
    jsonb_build_object('invoice_id', invoice, 'amount', 2900, 'currency', 'EUR'), kpi.day(age))
$$;

-- A journal row as it is once it is settled.
create function kpi.letter(code text, who text, key text, age numeric, project text default null, status text default 'sent', reason text default null)
returns void
language sql
as $$
insert into public.email_deliveries (user_id, project_id, email_type, dedupe_key, status, sent_at, created_at, payload_json)
values (kpi.id(who), kpi.id(project), code, key, status, case when status = 'sent' then kpi.day(age) end, kpi.day(age),
    jsonb_strip_nulls(jsonb_build_object('reason', reason)))
$$;

create function kpi.quota_letter(code text, stem text, project text, age numeric, status text default 'sent', reason text default null) returns void
language sql
as $$
select kpi.letter(code, 'ada', stem || ':' || kpi.id(project) || ':2001-01', age, project, status, reason)
$$;

create function kpi.lapse_letter(code text, who text, last_active numeric, age numeric, step text default null, status text default 'sent', reason text default null)
returns void
language sql
as $$
select kpi.letter(code, who,
    concat_ws(':', case code when 'E-RET-03' then 'inactive_14d' else 'inactive_30d' end, kpi.id(who), to_char(kpi.day(last_active) at time zone 'UTC', 'YYYY-MM-DD'), step),
    age, null, status, reason)
$$;

create function kpi.event(code text, who text, type text, age numeric, details jsonb default '{}') returns void
language sql
as $$
insert into public.email_events (email_delivery_id, event_type, occurred_at, details)
select d.id, type, kpi.day(age), details from public.email_deliveries d where d.email_type = code and d.user_id = kpi.id(who)
$$;
