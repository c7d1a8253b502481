-- E-CONV-04: somebody tried a Pro feature.
begin;
\ir support/fixtures.sql
select plan(22);

select fixture.account('nassir') as nassir \gset
select fixture.account('teammate') as teammate \gset
select fixture.project(:'nassir', 'API Gateway') as project \gset
select to_char(now() at time zone 'UTC', 'YYYY-MM') as month \gset
select 'pro_feature:' || :'teammate' || ':export:' || :'month' as key \gset
select fixture.signal('pro_feature_attempted', :'teammate', :'project', '{"feature": "export"}') as tried \gset
select results_eq(
    $$ select dedupe_key, user_id, project_id, to_email, run_at, due_at from fixture.rows_of('E-CONV-04') $$,
    format($$ values (%L, %L::uuid, %L::uuid, null::text, now(), now()) $$, :'key', :'teammate', :'project'),
    'an attempt causes one letter to who tried, now'
);
select fixture.signal('pro_feature_attempted', :'teammate', :'project', '{"feature": "export"}');
select is(fixture.keys_of('E-CONV-04'), array[:'key'], 'once a month for each feature');
select fixture.signal('pro_feature_attempted', :'teammate', :'project', '{"feature": "multi_env", "original_env": "staging", "forced_env": "prod"}');
select is(
    fixture.context_of('pro_feature:' || :'teammate' || ':multi_env:' || :'month') - '{first_name,time_zone,cta_path,signal_id}'::text[],
    jsonb_build_object('feature', 'multi_env', 'original_env', 'staging', 'forced_env', 'prod', 'project_name', 'API Gateway', 'project_id', :'project', 'occurred_at', now()),
    'another feature is another letter, with the signal''s keys and the project'
);
select is(fixture.gate_of(:'key'), 'send', 'the letter may go');
select fixture.signal('pro_feature_attempted', null, :'project', '{"feature": "alerts"}');
select is((fixture.row_of('pro_feature:' || :'nassir' || ':alerts:' || :'month')).user_id, :'nassir', 'when the signal names nobody it goes to the project''s owner');
update public.projects set plan = 'enterprise';
select is(fixture.gate_of(:'key'), 'suppress: no longer free', 'the letter is untrue once the project is no longer free');

select fixture.signal('pro_feature_attempted', :'nassir', null, '{"feature": "sdh"}');
select 'pro_feature:' || :'nassir' || ':sdh:' || :'month' as everywhere \gset
select is(fixture.gate_of(:'everywhere'), 'suppress: owns a project that is not free', 'without a project, not when one of the user''s is not free');
update public.projects set plan = 'free';
select fixture.project(:'nassir', 'Second');
select is(fixture.gate_of(:'everywhere'), 'send', 'but when all are');
select is(fixture.context_of(:'everywhere') ? 'project_name', false, 'and then none is named');
update public.projects set plan = 'pro' where name = 'Second';
select is(fixture.gate_of(:'everywhere'), 'suppress: owns a project that is not free', 'one Pro project among several is enough');
select fixture.signal('pro_feature_attempted', :'teammate', null, '{"feature": "sdh"}');
select is(fixture.gate_of('pro_feature:' || :'teammate' || ':sdh:' || :'month'), 'send', 'somebody who owns none is free');
delete from public.projects;
select is(fixture.gate_of(:'key'), 'suppress: no such project', 'the letter is untrue once the project is gone');

select fixture.signal('pro_feature_attempted', :'nassir', null, '{}');
select is((select error from fixture.errors_of('E-CONV-04')), '22004: field "feature" is missing', 'an attempt at nothing is noted, naming the field');
select fixture.signal('pro_feature_attempted', null, null, '{"feature": "export"}');
select is((select error from fixture.errors_of('E-CONV-04') order by id desc limit 1), '22004: field "user_id" is missing', 'so is one by nobody');
select fixture.signal('pro_feature_attempted', :'nassir', null, '{"feature": "export"}', now() - interval '10 years');
select is(fixture.row_of('pro_feature:' || :'nassir' || ':export:' || to_char((now() - interval '10 years') at time zone 'UTC', 'YYYY-MM')) is null, true, 'an attempt from before active_since causes nothing');
insert into public.email_outbox (email_type, user_id, dedupe_key) values ('E-CONV-04', :'nassir', 'pro_feature:' || :'nassir' || ':export:2026-03');
select is(fixture.context_of('pro_feature:' || :'nassir' || ':export:2026-03') ->> 'feature', 'export', 'a plain insert needs no more than the key');

-- Told late.
update public.email_types set active_since = now() - interval '60 days' where code = 'E-CONV-04';
select date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' as month_start \gset
select fixture.signal('pro_feature_attempted', :'teammate', null, '{"feature": "late"}', :'month_start'::timestamptz - interval '1 second');
select results_eq(
    $$ select dedupe_key, run_at, due_at from fixture.rows_of('E-CONV-04') where dedupe_key like '%:late:%' $$,
    format($$ values (%L, %2$L::timestamptz, %2$L::timestamptz) $$,
        'pro_feature:' || :'teammate' || ':late:' || to_char(:'month_start'::timestamptz at time zone 'UTC' - interval '1 second', 'YYYY-MM'), :'month_start'::timestamptz - interval '1 second'),
    'when it was tried is when it was due, in that UTC month'
);

select fixture.account('broken') as broken \gset
select is_empty(
    $$ select fixture.broken_by('E-CONV-04', 'insert into public.email_signals (kind, user_id, payload) select ''pro_feature_attempted'', id, ''{"feature": "export"}'' from public.users where name like ''Broken%''') $$,
    'whatever breaks on our side, the signal is recorded and the miss is noted'
);
select fixture.replayed_keys('E-CONV-04', 'insert into public.email_signals (kind, user_id, payload) select ''pro_feature_attempted'', id, ''{"feature": "export"}'' from public.users where name like ''Broken%''') as replayed \gset
select is(:'replayed'::text[], array['pro_feature:' || :'broken' || ':export:' || :'month'], 'what was missed is made up for');
select is((select count(*) from public.email_trigger_errors where replayed_at is null), 2::bigint, 'and what cannot be stays open');

-- The application's own key, as a plain insert may carry it.
select fixture.account('owner') as owner \gset
select fixture.project(:'owner', 'Forced') as forced \gset
insert into public.email_outbox (email_type, user_id, dedupe_key) values ('E-CONV-04', :'owner', 'env_forced:' || :'forced' || ':2026-02-19');
select is(fixture.context_of('env_forced:' || :'forced' || ':2026-02-19') ->> 'feature', 'multi_env', 'a forced environment is the feature multi_env');
select is(fixture.context_of('env_forced:' || :'forced' || ':2026-02-19') ->> 'project_name', 'Forced', 'of the project in its key');

select * from finish();
rollback;
