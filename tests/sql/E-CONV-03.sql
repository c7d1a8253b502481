-- E-CONV-03: a deployment was refused because the Free quota is used up.
begin;
\ir support/fixtures.sql
select plan(19);

select fixture.account('nassir') as nassir \gset
select fixture.account('teammate') as teammate \gset
select fixture.project(:'nassir', 'Checkout API') as project \gset
select 'free_quota_reached:' || :'project' || ':' || to_char(now() at time zone 'UTC', 'YYYY-MM') as key \gset
select fixture.signal('quota_refused', :'teammate', :'project') as refused \gset
select results_eq(
    $$ select dedupe_key, user_id, project_id, to_email, run_at, due_at, payload ->> 'signal_id' from fixture.rows_of('E-CONV-03') $$,
    format($$ values (%L, %L::uuid, %L::uuid, null::text, now(), now(), %L) $$, :'key', :'nassir', :'project', :'refused'),
    'a refusal causes one letter to the project''s owner, now, whoever deployed'
);
select fixture.signal('quota_refused', :'teammate', :'project');
select is(fixture.keys_of('E-CONV-03'), array[:'key'], 'once a month');
select date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' as month \gset
select fixture.signal('quota_refused', :'teammate', :'project', '{}', :'month'::timestamptz - interval '1 second') \g /dev/null
select is(cardinality(fixture.keys_of('E-CONV-03')), 1, 'a refusal from before active_since causes nothing');
update public.email_types set active_since = now() - interval '60 days' where code = 'E-CONV-03';
select fixture.signal('quota_refused', :'teammate', :'project', '{}', :'month'::timestamptz - interval '1 second') \g /dev/null
select results_eq(
    $$ select dedupe_key, run_at, due_at from fixture.rows_of('E-CONV-03') $$,
    format($$ values (%L, %3$L::timestamptz, %3$L::timestamptz), (%2$L, now(), now()) $$, 'free_quota_reached:' || :'project' || ':' || to_char(:'month'::timestamptz at time zone 'UTC' - interval '1 second', 'YYYY-MM'), :'key',
        :'month'::timestamptz - interval '1 second'),
    'months are UTC: a second before this one is another, and when it happened is when it was due'
);
update public.email_types set expires_after = '1 year' where code = 'E-CONV-03';
select is(fixture.gate_of((select o.dedupe_key from fixture.rows_of('E-CONV-03') o limit 1)), 'suppress: the quota has started anew', 'and that month''s refusal is history');
insert into public.deployments (project_id, deployment_number, env, state, started_at)
select :'project', n, 'prod', 'analyzed', date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' + make_interval(secs => n - 1) from generate_series(0, 50) n;
select is(fixture.gate_of(:'key'), 'send', 'the letter may go');
select is(
    fixture.context_of(:'key') - '{first_name,time_zone,cta_path,signal_id}'::text[],
    jsonb_build_object('project_name', 'Checkout API', 'project_id', :'project', 'deployments_used', 50, 'deployments_limit', 50, 'occurred_at', now(),
        'resets_on', ((date_trunc('month', now() at time zone 'UTC') + interval '1 month'))::date),
    'with the month''s deployments, the limit and when it starts anew'
);
update public.email_types set params = '{"quota": 60}' where code = 'E-CONV-03';
select is(fixture.context_of(:'key') -> 'deployments_limit', '60', 'the limit is a parameter');
update public.projects set plan = 'pro';
select is(fixture.gate_of(:'key'), 'suppress: no longer free', 'the letter is untrue once the project is no longer free');
update public.projects set plan = 'free';
select (date_trunc('month', now() at time zone 'UTC') + interval '1 month') at time zone 'UTC' as next_month \gset
select fixture.move_clock(:'next_month'::timestamptz - now() - interval '1 second');
select is(fixture.gate_of(:'key'), 'send', 'until the last second of the month');
select fixture.move_clock(:'next_month'::timestamptz - now());
select is(fixture.gate_of(:'key'), 'suppress: the quota has started anew', 'not once the quota is new');
select fixture.move_clock('0');
insert into public.email_preferences (user_id, marketing_opt_in) values (:'nassir', false);
select is(fixture.gate_of(:'key'), 'send', 'an owner who refuses marketing is told too: it is transactional');
delete from public.email_preferences;
delete from public.projects;
select is(fixture.gate_of(:'key'), 'suppress: no such project', 'the letter is untrue once the project is gone');

select fixture.signal('quota_refused', :'nassir', null);
select is((select error from fixture.errors_of('E-CONV-03')), '22004: field "project_id" is missing', 'a refusal without a project is noted, naming the field');
select fixture.signal('quota_refused', :'nassir', gen_random_uuid());
select is((select error from fixture.errors_of('E-CONV-03') order by id desc limit 1), '22004: field "owner_id" is missing', 'so is one of a project that is not there');
select fixture.project(:'nassir', 'Plain') as plain \gset
insert into public.email_outbox (email_type, user_id, dedupe_key) values ('E-CONV-03', :'nassir', 'free_quota_reached:' || :'plain' || ':2026-03');
select is(fixture.context_of('free_quota_reached:' || :'plain' || ':2026-03') ->> 'project_name', 'Plain', 'a plain insert needs no more than the key');

select is_empty(
    $$ select fixture.broken_by('E-CONV-03', 'insert into public.email_signals (kind, project_id) select ''quota_refused'', id from public.projects') $$,
    'whatever breaks on our side, the signal is recorded and the miss is noted'
);
select jsonb_agg(n -> 'error') as notes
from fixture.notes_without('E-CONV-03', 'alter table public.projects rename column owner_id to o', 'insert into public.email_signals (kind, project_id) select ''quota_refused'', id from public.projects') n \gset
select is(:'notes'::jsonb ->> -1 like '42703: %owner_id%', true, 'so is a column that was renamed');
select fixture.replayed_keys('E-CONV-03', 'insert into public.email_signals (kind, project_id) select ''quota_refused'', id from public.projects') as replayed \gset
select is(:'replayed'::text[], array['free_quota_reached:' || :'plain' || ':' || to_char(now() at time zone 'UTC', 'YYYY-MM')], 'what was missed is made up for');

select * from finish();
rollback;
