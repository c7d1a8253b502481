-- A SEQPULSE database of the size of docs/rules.md#large-databases: 200,000 users, 400,000 projects, 2,000,000 deployments over 14 months that
-- end on Monday 2026-03-30 at 05:30 UTC (07:30 in Paris, the day after its clocks went forward).  Deterministic: everything
-- is derived from row numbers by hashing.  psql variables: users, projects, deployments.
\set ON_ERROR_STOP on
set session_replication_role = replica; -- the triggers are measured elsewhere
set synchronous_commit = off;
select setseed(0.3);

create function pg_temp.dice(salt text, n bigint, sides bigint) returns bigint language sql immutable parallel safe
as $$ select abs(hashtextextended(salt, n) % sides) $$;
create function pg_temp.id(kind bigint, n bigint) returns uuid language sql immutable parallel safe
as $$ select (lpad(to_hex(kind), 8, '0') || '-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;

insert into public.users (id, name, email, hashed_password, is_active, twofa_enabled, created_at)
select pg_temp.id(1, n), 'Nom ' || n, 'user' || n || '@example.com', 'x', pg_temp.dice('inactive', n, 50) <> 0, pg_temp.dice('2fa', n, 4) = 0,
    timestamptz '2026-03-30 05:30Z' - n::double precision / :users * interval '420 days'
from generate_series(1, :users) n;

insert into public.email_preferences (user_id, timezone)
select pg_temp.id(1, n),
    (array['Europe/Paris', 'America/New_York', 'Asia/Kolkata', 'Pacific/Auckland', 'America/Sao_Paulo', 'Australia/Lord_Howe',
        'Africa/Dakar', 'Asia/Tokyo', 'America/Los_Angeles', 'Europe/London', 'Mars/Olympus'])[1 + pg_temp.dice('zone', n, 11)]
from generate_series(1, :users) n where pg_temp.dice('preferences', n, 3) = 0;

insert into public.projects (id, name, owner_id, api_key, hmac_secret, plan, created_at)
select pg_temp.id(2, n), 'Projet ' || n, u.id, 'k' || n, 'h' || n, (array['free', 'free', 'free', 'free', 'pro'])[1 + pg_temp.dice('plan', n, 5)],
    u.created_at + interval '1 hour'
from generate_series(1, :projects) n
join public.users u on u.id = pg_temp.id(1, 1 + n % :users);

-- A tenth of the deployments go to 0.1 % of the projects (41 a month), two fifths to 5 %, the rest to all; in the order they
-- were started, as an application writes them.
insert into public.deployments (id, deployment_number, project_id, env, state, started_at, finished_at)
select pg_temp.id(3, n), n, p.id, 'prod', 'analyzed', d.started_at, d.started_at + interval '5 minutes'
from generate_series(1, :deployments) n
cross join lateral (select timestamptz '2026-03-30 05:30Z' - (:deployments - n)::double precision / :deployments * interval '420 days' as started_at) d
join public.projects p on p.id = pg_temp.id(2, 1 + case
    when pg_temp.dice('heavy', n, 10) = 0 then pg_temp.dice('which', n, :projects / 1000)
    when pg_temp.dice('heavy', n, 10) < 5 then pg_temp.dice('which', n, :projects / 20)
    else pg_temp.dice('which', n, :projects)
end)
order by d.started_at;

insert into public.deployment_verdicts (deployment_id, verdict, confidence, created_at)
select d.id, (array['ok', 'ok', 'ok', 'warning', 'rollback_recommended'])[1 + pg_temp.dice('verdict', d.deployment_number, 5)], 0.8, d.finished_at
from public.deployments d where d.started_at > timestamptz '2026-02-01';

insert into public.email_signals (kind, user_id, payload, occurred_at)
select (array['login', 'verdict_viewed'])[1 + pg_temp.dice('kind', n, 2)], pg_temp.id(1, 1 + pg_temp.dice('who', n, :users)), '{}',
    timestamptz '2026-03-30 05:30Z' - pg_temp.dice('when', n, 8640000) * interval '1 second'
from generate_series(1, 2 * :users) n;

update public.email_types set active_since = '-infinity', params = params || '{"blast_limit": null}';
vacuum analyze;
