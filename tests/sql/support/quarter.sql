-- The simulated quarter's people, what they do, and the oracle that judges each letter; included by quarter.sql with \ir.
-- Everything is derived from row numbers by hashing (sim.dice): the same quarter every time, on every machine.
create schema sim;

create function sim.dice(salt text, n bigint) returns double precision language sql immutable parallel safe
as $$ select (hashtextextended(salt, n) & 2147483647) / 2147483648.0 $$;

create table sim.bounds as select timestamptz '2026-02-16 00:00Z' as starts, timestamptz '2026-05-18 00:00Z' as ends;

create table sim.people as
select n, md5('person' || n)::uuid as id,
    -- Eight zones with their own habits about clocks, nothing, and nonsense.
    (array['Europe/Paris', 'America/New_York', 'Asia/Kolkata', 'Pacific/Auckland', 'America/Sao_Paulo', 'Australia/Lord_Howe', 'Pacific/Apia',
        'America/Los_Angeles', null, 'Mars/Olympus'])[1 + n % 10] as zone,
    case when sim.dice('early', n) < 0.6 then b.starts - (1 + 149 * sim.dice('joined', n)) * interval '1 day' else b.starts + 80 * sim.dice('joined', n) * interval '1 day' end as joined,
    case
        when sim.dice('persona', n) < 0.15 then 'stranger'
        when sim.dice('persona', n) < 0.45 then 'steady'
        when sim.dice('persona', n) < 0.70 then 'quitter'
        when sim.dice('persona', n) < 0.82 then 'bursty'
        when sim.dice('persona', n) < 0.94 then 'heavy'
        else 'stuck'
    end as persona,
    b.starts + (10 + 60 * sim.dice('quits', n)) * interval '1 day' as quits,
    b.starts + (10 + 60 * sim.dice('quits', n) + 5 + 60 * sim.dice('returns', n)) * interval '1 day' as returns,
    case when sim.dice('closes', n) < 0.05 then b.starts + 80 * sim.dice('closes when', n) * interval '1 day' end as closes,
    case when sim.dice('opts out', n) < 0.08 then b.starts + 60 * sim.dice('opts out when', n) * interval '1 day' end as opts_out
from generate_series(1, 100) n cross join sim.bounds b;
-- What a wrong zone counts as.
alter table sim.people add column clock text;
update sim.people set closes = null where closes <= joined;
update sim.people set clock = case when zone is null or zone = 'Mars/Olympus' then 'Europe/Paris' else zone end;

create table sim.projects as
select row_number() over (order by p.n, i) as n, md5('project' || p.n || '-' || i)::uuid as id, p.id as owner, p.n as person, p.persona, p.clock,
    p.joined + 72 * sim.dice('created', p.n * 10 + i) * interval '1 hour' as created,
    case when sim.dice('pays', p.n * 10 + i) < 0.2 then 'pro' else 'free' end as plan,
    case when sim.dice('upgrades', p.n * 10 + i) < 0.15 then b.starts + 85 * sim.dice('upgrades when', p.n * 10 + i) * interval '1 day' end as upgrades
from sim.people p cross join generate_series(1, 2) i cross join sim.bounds b
where p.persona <> 'stranger' and (i = 1 or sim.dice('second', p.n) < 0.3);

-- What is going to happen.
create table sim.plan (at timestamptz not null, kind text not null, person uuid, project uuid, data jsonb not null default '{}');
insert into sim.plan (at, kind, person) select joined, 'joins', id from sim.people;
insert into sim.plan (at, kind, person) select closes, 'closes', id from sim.people where closes is not null;
insert into sim.plan (at, kind, person) select opts_out, 'opts out', id from sim.people where opts_out is not null;
insert into sim.plan (at, kind, person, project) select created, 'creates', owner, id from sim.projects;
insert into sim.plan (at, kind, person, project) select greatest(upgrades, created + interval '1 hour'), 'upgrades', owner, id from sim.projects where plan = 'free' and upgrades is not null;

-- Deployments: start, finish, verdict. 35 days before the quarter belong to the past that nobody is written to about.
create table sim.starts as
select md5('deployment' || p.n || '-' || d.day || '-' || k)::uuid as id, p.id as project, p.owner, p.persona, d.day + sim.dice('minute' || k, p.n * 1000 + d.nr) * interval '1 day' as at,
    p.n * 1000000 + d.nr * 100 + k as seed
from sim.projects p
cross join sim.bounds b
join sim.people o on o.id = p.owner
cross join lateral generate_series(greatest(date_trunc('day', p.created), b.starts - interval '35 days'), b.ends, interval '1 day') with ordinality d (day, nr)
cross join lateral (
    select case p.persona
        when 'steady' then 0.9
        when 'quitter' then case when d.day < o.quits then 1.2 when d.day > o.returns then 0.8 else 0 end
        when 'bursty' then case when extract(week from d.day)::integer % 3 = 0 then 0.2 else 1.8 end
        when 'heavy' then 2.6
        else 0.3
    end as rate
) r
cross join lateral generate_series(1, ceil(2 * r.rate)::integer) k
where r.rate > 0 and sim.dice('deploys' || k, p.n * 1000 + d.nr) < r.rate / ceil(2 * r.rate);
insert into sim.plan (at, kind, person, project, data) select at, 'starts', owner, project, jsonb_build_object('id', id, 'seed', seed) from sim.starts where at > (select created from sim.projects p where p.id = project);
insert into sim.plan (at, kind, person, project, data)
select at + interval '7 minutes', 'finishes', owner, project, jsonb_build_object('id', id, 'seed', seed) from sim.starts where persona <> 'stuck' and sim.dice('stuck', seed) > 0.02;
insert into sim.plan (at, kind, person, project, data)
select at + interval '12 minutes', 'is judged', owner, project, jsonb_build_object('id', id, 'seed', seed,
    'verdict', case when sim.dice('verdict', seed) < 0.8 then 'ok' when sim.dice('verdict', seed) < 0.95 then 'warning' else 'rollback_recommended' end)
from sim.starts cross join sim.bounds b where persona <> 'stuck' and sim.dice('stuck', seed) > 0.02 and at > b.starts - interval '5 days';

-- Logins follow the deployments, and strangers look in now and then; one in thirty is from somewhere else.
insert into sim.plan (at, kind, person, data)
select at - interval '3 minutes', 'logs in', owner, jsonb_build_object('country', case when sim.dice('abroad', seed) < 0.03 then 'VN' else 'FR' end, 'device', 'Firefox', 'ip', '203.0.113.1')
from sim.starts where sim.dice('logs in', seed) < 0.4;
insert into sim.plan (at, kind, person, project, data)
select at + interval '1 hour', 'looks', owner, project, jsonb_build_object('deployment_id', id) from sim.starts where sim.dice('looks', seed) < 0.2;
insert into sim.plan (at, kind, person, data)
select p.joined + g * interval '9 days' * (0.5 + sim.dice('visit', p.n * 100 + g)), 'logs in', p.id, '{"country": "FR", "device": "Chrome"}'
from sim.people p cross join generate_series(1, 8) g where p.persona = 'stranger' and sim.dice('visits', p.n) < 0.5;
insert into sim.plan (at, kind, person) select b.starts + 90 * sim.dice('2fa', p.n * 10 + g) * interval '1 day', 'turns 2fa', p.id
from sim.people p cross join generate_series(1, 2) g cross join sim.bounds b where sim.dice('2fa at all', p.n) < 0.2;

-- Invitations: accepted, revoked or neither.
insert into sim.plan (at, kind, person, project, data)
select i.at, 'invites', p.owner, p.id, jsonb_build_object('invitation_id', 'inv' || p.n || '-' || g, 'invitee_email',
    -- Some of the guests have an account soon, or have it already.
    case when p.n % 4 = 0 and g = 1 then 'user' || 1 + (p.n * 7) % 100 || '@example.com' else 'guest' || p.n || '-' || g || '@example.org' end)
from sim.projects p cross join sim.bounds b cross join generate_series(1, 2) g
cross join lateral (select b.starts + 84 * sim.dice('invites', p.n * 10 + g) * interval '1 day' as at) i where i.at > p.created;
insert into sim.plan (at, kind, person, project, data)
select i.at + 7 * sim.dice('answers', hashtext(i.data ->> 'invitation_id')) * interval '1 day',
    case when sim.dice('accepts', hashtext(i.data ->> 'invitation_id')) < 0.5 then 'accepts' else 'revokes' end, i.person, i.project, i.data - 'invitee_email'
from sim.plan i where i.kind = 'invites' and sim.dice('answered', hashtext(i.data ->> 'invitation_id')) < 0.6;

-- Paying: monthly, a third fails at first, some of those for good.
insert into sim.plan (at, kind, person, project, data)
select greatest(p.created, coalesce(p.upgrades, p.created)) + (g * 30 + sim.dice('bills', p.n)) * interval '1 day' + f.later,
    f.kind, p.owner, p.id, jsonb_build_object('invoice_id', 'in' || p.n || '-' || g, 'amount', 4900, 'currency', 'EUR')
from sim.projects p cross join generate_series(1, 7) g
cross join lateral (
    select 'fails' as kind, interval '0' as later where sim.dice('fails', p.n * 10 + g) < 0.4
    union all select 'fails', interval '36 hours' where sim.dice('fails', p.n * 10 + g) < 0.2
    union all select 'pays', case when sim.dice('fails', p.n * 10 + g) < 0.4 then 12 * sim.dice('pays late', p.n * 10 + g) * interval '1 day' else interval '0' end
    where sim.dice('fails', p.n * 10 + g) > 0.1
) f
where p.plan = 'pro' or p.upgrades is not null;
insert into sim.plan (at, kind, person, project, data)
select b.starts + 90 * sim.dice('tries', p.n * 10 + g) * interval '1 day', 'tries', p.owner, case when g = 1 then p.id end, jsonb_build_object('feature', (array['export', 'sdh'])[g])
from sim.projects p cross join generate_series(1, 2) g cross join sim.bounds b where sim.dice('tries at all', p.n) < 0.3;

-- People do nothing before they joined, projects nothing before they exist, and nothing happens after the quarter.
delete from sim.plan l using sim.people p where l.person = p.id and l.kind <> 'joins' and l.at <= p.joined;
delete from sim.plan l using sim.projects p where l.project = p.id and l.kind not in ('creates') and l.at <= p.created;
delete from sim.plan l using sim.bounds b where l.at >= b.ends;
create index on sim.plan (at);

-- What happened (the oracle's own record of activity), and what was sent.
create table sim.acts (person uuid not null, at timestamptz not null);
create index on sim.acts (person, at);
create table sim.sent (id bigint, email_type text, key text, person uuid, project uuid, recipient text, capped boolean, category text, run_at timestamptz, at timestamptz, context jsonb, payload jsonb, untrue text);

create procedure sim.happen(since timestamptz, until timestamptz) language plpgsql
as $$
declare
    ev record;
begin
    for ev in select * from sim.plan l where l.at > since and l.at <= until order by l.at, l.kind loop
        perform pg_temp.at(ev.at);
        case ev.kind
        when 'joins' then
            insert into public.users (id, name, email, hashed_password, created_at) select p.id, 'Nom' || p.n || ' Martin', 'user' || p.n || '@example.com', 'x', ev.at from sim.people p where p.id = ev.person;
            insert into public.email_preferences (user_id, timezone) select p.id, p.zone from sim.people p where p.id = ev.person and p.zone is not null;
            insert into sim.acts values (ev.person, ev.at);
        when 'closes' then
            update public.users set is_active = false where id = ev.person;
        when 'opts out' then
            insert into public.email_preferences (user_id, marketing_opt_in) values (ev.person, false) on conflict (user_id) do update set marketing_opt_in = false;
        when 'creates' then
            insert into public.projects (id, name, owner_id, api_key, hmac_secret, plan, created_at)
            select p.id, 'Projet ' || p.n, p.owner, p.id, p.id, p.plan, ev.at from sim.projects p where p.id = ev.project;
            insert into sim.acts values (ev.person, ev.at);
        when 'upgrades' then
            update public.projects set plan = 'pro' where id = ev.project;
        when 'starts' then
            if (select p.plan from public.projects p where p.id = ev.project) = 'free'
                and (select count(*) from public.deployments d where d.project_id = ev.project and d.started_at >= date_trunc('month', ev.at)) >= 50
            then
                perform public.email_signal('quota_refused', null, ev.project, '{}', ev.at);
            else
                insert into public.deployments (id, deployment_number, project_id, env, state, started_at)
                select (ev.data ->> 'id')::uuid, n, ev.project, 'env' || n, 'running', ev.at
                from (select coalesce(max(d.deployment_number), 0) + 1 as n from public.deployments d where d.project_id = ev.project) c;
                insert into sim.acts values (ev.person, ev.at);
            end if;
        when 'finishes' then
            update public.deployments set state = 'finished', finished_at = ev.at where id = (ev.data ->> 'id')::uuid;
        when 'is judged' then
            insert into public.metric_samples (deployment_id, phase, requests_per_sec, latency_p95, error_rate, cpu_usage, memory_usage, collected_at)
            select d.id, s.phase, 1, 100 * (1 + sim.dice(s.phase, (ev.data ->> 'seed')::bigint)), 0, 0, 0, ev.at
            from public.deployments d cross join (values ('pre'), ('post')) s (phase) where d.id = (ev.data ->> 'id')::uuid;
            insert into public.deployment_verdicts (deployment_id, verdict, confidence, created_at)
            select d.id, ev.data ->> 'verdict', 0.9, ev.at from public.deployments d where d.id = (ev.data ->> 'id')::uuid;
        when 'logs in' then
            perform public.email_signal('login', ev.person, null, ev.data, ev.at);
            insert into sim.acts values (ev.person, ev.at);
        when 'looks' then
            perform public.email_signal('verdict_viewed', ev.person, ev.project, ev.data, ev.at);
            insert into sim.acts values (ev.person, ev.at);
        when 'turns 2fa' then
            update public.users set twofa_enabled = not twofa_enabled where id = ev.person;
        when 'answers nps' then
            perform public.email_signal('nps_answered', ev.person, null, ev.data, ev.at);
        else
            perform public.email_signal(case ev.kind when 'invites' then 'invitation_created' when 'accepts' then 'invitation_accepted' when 'revokes' then 'invitation_revoked'
                when 'fails' then 'payment_failed' when 'pays' then 'payment_succeeded' when 'tries' then 'pro_feature_attempted' end,
                ev.person, ev.project, ev.data, ev.at);
        end case;
    end loop;
end
$$;

-- Why this letter should not go out at this moment, by the raw facts and not by the functions under test; null: it is true.
create function sim.objection(letter public.email_outbox, context jsonb) returns text language plpgsql
as $$
declare
    person sim.people;
    project sim.projects;
    plan text;
    month_start timestamptz := date_trunc('month', public.email_now());
    monday timestamp;
    used bigint;
    past bigint;
    lately bigint;
    low jsonb := '[]';
    own record;
begin
    select * into person from sim.people p where p.id = letter.user_id;
    select * into project from sim.projects p where p.id = letter.project_id;
    select p.plan into plan from public.projects p where p.id = letter.project_id;
    if letter.email_type !~ 'TRX|SEC|BILL|ACT-05' then
        if person.closes <= public.email_now() then return 'account closed'; end if;
        if letter.email_type ~ 'CONV|RET-0[234]|ADV' and person.opts_out <= public.email_now() and person.opts_out > person.joined then return 'opted out'; end if;
    end if;
    case letter.email_type
    when 'E-TRX-02' then
        if exists (select from sim.plan l where l.kind in ('accepts', 'revokes') and l.data ->> 'invitation_id' = split_part(letter.dedupe_key, ':', 2) and l.at <= public.email_now())
        then return 'answered'; end if;
    when 'E-ACT-01' then
        if exists (select from sim.projects p where p.owner = letter.user_id and p.created <= public.email_now()) then return 'has a project'; end if;
        if exists (
            select from sim.plan l
            where l.kind = 'invites' and l.data ->> 'invitee_email' = 'user' || person.n || '@example.com' and l.at <= public.email_now()
            and not exists (select from sim.plan a where a.kind = 'revokes' and a.data ->> 'invitation_id' = l.data ->> 'invitation_id' and a.at <= public.email_now())
        ) then return 'was invited'; end if;
    when 'E-ACT-02' then
        if exists (select from public.deployments d join sim.projects p on p.id = d.project_id where p.owner = letter.user_id) then return 'has deployed'; end if;
        if project.created >= person.joined + interval '14 days' then return 'no new user'; end if;
        if exists (select from sim.sent s where s.person = letter.user_id and s.email_type = 'E-ACT-02' and s.at > public.email_now() - interval '14 days') then return 'told before'; end if;
    when 'E-ACT-03' then
        if exists (select from public.deployments d where d.project_id = letter.project_id and d.finished_at is not null) then return 'has finished one'; end if;
    when 'E-CONV-01', 'E-CONV-02' then
        used := (select count(*) from public.deployments d where d.project_id = letter.project_id and d.started_at >= month_start);
        if plan <> 'free' then return 'not free'; end if;
        if split_part(letter.dedupe_key, ':', 3) <> to_char(month_start, 'YYYY-MM') then return 'of another month'; end if;
        if letter.email_type = 'E-CONV-01' and used not between 40 and 44 or letter.email_type = 'E-CONV-02' and used not between 45 and 49 then return used || ' used'; end if;
        if (context ->> 'deployments_used')::bigint <> used then return 'says ' || (context ->> 'deployments_used') || ' of ' || used; end if;
    when 'E-CONV-03' then
        if plan <> 'free' then return 'not free'; end if;
    when 'E-CONV-05' then
        select count(*) as deployments, count(distinct p.id) as projects into own
        from public.deployments d join sim.projects p on p.id = d.project_id join public.projects now on now.id = p.id and now.plan = 'free'
        where p.owner = letter.user_id and to_char(d.started_at, 'YYYY-MM') = split_part(letter.dedupe_key, ':', 3);
        if own.deployments = 0 or own.deployments <> (context ->> 'deployments')::bigint then return 'says ' || (context ->> 'deployments') || ' of ' || own.deployments; end if;
        if own.projects <> jsonb_array_length(context -> 'projects') then return 'has another number of projects'; end if;
    when 'E-CONV-04' then
        if exists (select from sim.sent s where s.person = letter.user_id and s.email_type = 'E-CONV-04' and s.at > public.email_now() - interval '7 days') then return 'within seven days'; end if;
        if not exists (
            select from sim.plan l
            where l.kind = 'tries' and l.person = letter.user_id and l.at <= public.email_now() and l.at > public.email_now() - interval '3 days 2 hours'
            and context -> 'features' @> jsonb_build_array(jsonb_build_object('feature', l.data ->> 'feature'))
            and case when l.project is null then not exists (select from public.projects p where p.owner_id = letter.user_id and p.plan <> 'free')
                else exists (select from public.projects p where p.id = l.project and p.plan = 'free') end
        ) then return 'not free, or not tried'; end if;
    when 'E-RET-01' then
        monday := to_timestamp(split_part(letter.dedupe_key, ':', 3), 'IYYY-"W"IW')::timestamp;
        used := (select count(*) from public.deployments d join sim.projects p on p.id = d.project_id
                 where p.owner = letter.user_id and d.started_at at time zone person.clock >= monday and d.started_at at time zone person.clock < monday + interval '7 days');
        if used = 0 and not exists (select from sim.plan l where l.kind = 'looks' and l.person = letter.user_id
            and l.at at time zone person.clock >= monday and l.at at time zone person.clock < monday + interval '7 days')
        then return 'did nothing that week'; end if;
        if used <> (context ->> 'deployments')::bigint then return 'says ' || (context ->> 'deployments') || ' of ' || used; end if;
        if used <> coalesce((select sum((d ->> 'deployments')::bigint) from jsonb_array_elements(nullif(context -> 'days', 'null')) d), 0)
            or used <> coalesce((select sum((p ->> 'deployments')::bigint) from jsonb_array_elements(nullif(context -> 'projects', 'null')) p), 0)
        then return 'its bars do not add up'; end if;
    when 'E-RET-02' then
        monday := to_timestamp(split_part(letter.dedupe_key, ':', 3), 'IYYY-"W"IW')::timestamp;
        for own in select p.* from sim.projects p where p.owner = letter.user_id loop
            select count(*) filter (where s.local < monday), count(*) filter (where s.local >= monday and s.local < monday + interval '7 days'),
                count(*) filter (where s.local >= monday and s.at > public.email_now() - interval '168 hours')
            into past, used, lately
            from (select d.started_at as at, d.started_at at time zone own.clock as local from public.deployments d where d.project_id = own.id) s
            where s.local >= monday - interval '7 days';
            if past >= 4 and used * 2 <= past and lately * 2 <= past then
                low := low || jsonb_build_array(jsonb_build_object('project_id', own.id, 'deployments', used, 'previous_deployments', past));
            end if;
        end loop;
        if low = '[]' then return 'none dropped, or all recovered'; end if;
        if not (context -> 'projects' @> low) or jsonb_array_length(low) <> jsonb_array_length(context -> 'projects') then return format('says %s, not %s', context -> 'projects', low); end if;
    when 'E-RET-03', 'E-RET-04' then
        if exists (select from sim.acts a where a.person = letter.user_id and a.at >= (split_part(letter.dedupe_key, ':', 3)::date + 1)::timestamptz and a.at <= public.email_now())
        then return 'came back'; end if;
        if not exists (select from sim.acts a where a.person = letter.user_id and a.at = letter.due_at - case
            when letter.email_type = 'E-RET-03' then interval '14 days' when letter.dedupe_key like '%:J30' then interval '30 days' else interval '37 days' end)
        then return 'not due from the last activity'; end if;
    when 'E-BILL-01' then
        if exists (
            select from sim.plan l join sim.plan f on f.kind = 'fails' and f.data ->> 'invoice_id' = split_part(letter.dedupe_key, ':', 2)
            where l.kind = 'pays' and l.data ->> 'invoice_id' = f.data ->> 'invoice_id' and l.at > f.at and l.at <= public.email_now()
        ) then return 'paid'; end if;
        if plan = 'free' then return 'not Pro'; end if;
    when 'E-ADV-01' then
        if (public.email_now() at time zone 'UTC')::date - (person.joined at time zone 'UTC')::date + 1 < substring(letter.dedupe_key from '([0-9]+)d$')::integer
        then return 'not so long here'; end if;
        if exists (select from sim.sent s where s.email_type = 'E-ADV-01' and s.person = letter.user_id and s.at > public.email_now() - interval '150 days')
        then return 'asked lately'; end if;
        if (select count(*) from public.deployments d join sim.projects p on p.id = d.project_id where p.owner = letter.user_id) <= 20
            or (select count(distinct date_trunc('day', a.at)) from sim.acts a where a.person = letter.user_id) < 30
        then return 'no milestone'; end if;
    else
        null; -- always true
    end case;
    return null;
end
$$;

create temp table claimed (batch_id uuid, id bigint, recipient text, context jsonb);

-- A sidecar at this moment: whatever is due goes out and is accepted.
create procedure sim.send() language plpgsql
as $$
declare
    batch record;
begin
    loop
        delete from claimed;
        insert into claimed select c.batch_id, c.id, c.recipient, c.context from public.email_claim('quarter', 'console', 200, interval '1 minute') c;
        select c.batch_id, array_agg(c.id) as ids, count(*)::integer as members into batch from claimed c group by c.batch_id;
        if not found then
            -- A claim may end rows without sending any.
            exit when not exists (select from public.email_outbox o where o.status = 'queued' and o.retry_at is null and o.run_at <= public.email_now());
            continue;
        end if;
        insert into sim.sent
        select o.id, o.email_type, o.dedupe_key, o.user_id, o.project_id, c.recipient, t.capped, t.category, o.due_at, public.email_now(), c.context, o.payload, sim.objection(o, c.context)
        from claimed c join public.email_outbox o on o.id = c.id join public.email_types t on t.code = o.email_type;
        -- Who is asked for a score gives one.
        insert into sim.plan (at, kind, person, data)
        select public.email_now() + interval '3 hours', 'answers nps', s.person, jsonb_build_object('score', 7 + (hashtext(s.person::text) & 3))
        from sim.sent s join claimed c on c.id = s.id where s.email_type = 'E-ADV-01';
        perform public.email_settle('quarter', batch.batch_id, batch.ids, array_fill('sent'::text, array[batch.members]), batch.ids::text[],
            array_fill(null::text, array[batch.members]), array_fill('subject'::text, array[batch.members]), array_fill(null::double precision, array[batch.members]));
    end loop;
end
$$;

create procedure sim.run() language plpgsql
as $$
declare
    step constant interval := '2 hours';
    moment timestamptz := (select starts from sim.bounds);
begin
    -- The past: facts older than active_since.
    call sim.happen('-infinity', moment);
    analyze;
    commit;
    while moment < (select ends from sim.bounds) loop
        call sim.happen(moment, moment + step);
        moment := moment + step;
        perform pg_temp.at(moment);
        while public.email_run_due_schedule('quarter') is not null loop null; end loop;
        call sim.send();
        commit;
    end loop;
end
$$;
