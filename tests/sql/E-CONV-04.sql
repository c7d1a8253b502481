-- E-CONV-04: somebody tried a Pro feature.
begin;
\ir support/fixtures.sql
select plan(37);

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
select is(
    fixture.context_of(:'key') - '{first_name,time_zone,cta_path,signal_id}'::text[],
    jsonb_build_object('feature', 'export', 'features', '[{"feature": "export", "project_name": "API Gateway"}]'::jsonb, 'project_name', 'API Gateway', 'project_id', :'project', 'occurred_at', now()),
    'the letter names the feature and the project'
);
select fixture.signal('pro_feature_attempted', :'teammate', :'project', '{"feature": "multi_env", "original_env": "staging", "forced_env": "prod"}');
select is(
    fixture.context_of(:'key') -> 'features',
    '[{"feature": "export", "project_name": "API Gateway"}, {"feature": "multi_env", "project_name": "API Gateway", "original_env": "staging", "forced_env": "prod"}]'::jsonb,
    'a letter names what else is tried until it leaves'
);
select is(fixture.gate_of('pro_feature:' || :'teammate' || ':multi_env:' || :'month'), 'suppress: named in the letter ' || :'key', 'what another letter names is no letter of its own');
select is(fixture.gate_of(:'key'), 'send', 'the letter may go');
select fixture.signal('pro_feature_attempted', null, :'project', '{"feature": "alerts"}');
select is((fixture.row_of('pro_feature:' || :'nassir' || ':alerts:' || :'month')).user_id, :'nassir', 'when the signal names nobody it goes to the project''s owner');
update public.projects set plan = 'enterprise';
select is(fixture.gate_of(:'key'), 'suppress: no longer free', 'the letter is untrue once the project is no longer free');

select fixture.signal('pro_feature_attempted', :'nassir', null, '{"feature": "sdh"}');
select 'pro_feature:' || :'nassir' || ':sdh:' || :'month' as everywhere \gset
delete from public.email_outbox where dedupe_key like '%:alerts:%';
select is(fixture.gate_of(:'everywhere'), 'suppress: owns a project that is not free', 'without a project, not when one of the user''s is not free');
update public.projects set plan = 'free';
select fixture.project(:'nassir', 'Second');
select is(fixture.gate_of(:'everywhere'), 'send', 'but when all are');
select is(fixture.context_of(:'everywhere') ? 'project_name', false, 'and then none is named');
update public.projects set plan = 'pro' where name = 'Second';
select is(fixture.gate_of(:'everywhere'), 'suppress: owns a project that is not free', 'one Pro project among several is enough');
select fixture.account('loner') as loner \gset
select fixture.signal('pro_feature_attempted', :'loner', null, '{"feature": "sdh"}');
select is(fixture.gate_of('pro_feature:' || :'loner' || ':sdh:' || :'month'), 'send', 'somebody who owns none is free');
delete from public.projects;
select is(fixture.gate_of(:'key'), 'suppress: no such project', 'the letter is untrue once the project is gone');

select fixture.signal('pro_feature_attempted', :'nassir', null, '{}');
select is((select error from fixture.errors_of('E-CONV-04')), '22004: field "feature" is missing', 'an attempt at nothing is noted, naming the field');
select fixture.signal('pro_feature_attempted', null, null, '{"feature": "export"}');
select is((select error from fixture.errors_of('E-CONV-04') order by id desc limit 1), '22004: field "user_id" is missing', 'so is one by nobody');
select fixture.signal('pro_feature_attempted', :'nassir', null, '{"feature": "export"}', now() - interval '10 years');
select is(fixture.row_of('pro_feature:' || :'nassir' || ':export:' || to_char((now() - interval '10 years') at time zone 'UTC', 'YYYY-MM')) is null, true, 'an attempt from before active_since causes nothing');
select fixture.account('plain') as plain \gset
insert into public.email_outbox (email_type, user_id, dedupe_key) values ('E-CONV-04', :'plain', 'pro_feature:' || :'plain' || ':export:2026-03');
select is(fixture.context_of('pro_feature:' || :'plain' || ':export:2026-03') ->> 'feature', 'export', 'a plain insert needs no more than the key');

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

-- One letter, however much is tried -----------------------------------------------------------------------------------------
delete from public.email_outbox;
delete from public.email_signals;
select fixture.account('curious') as curious \gset
select fixture.project(:'curious', 'One') as one \gset
select fixture.project(:'curious', 'Two') as two \gset
delete from public.email_outbox;
select fixture.signal('pro_feature_attempted', :'curious', p.id, jsonb_build_object('feature', f.name))
from (values ('slack', :'one'::uuid), ('export_csv', :'two'), ('time machine <b>', :'two')) f (name, project)
join public.projects p on p.id = f.project order by f.name desc \g /dev/null
select 'pro_feature:' || :'curious' || ':time machine <b>:' || :'month' as first \gset
select is(fixture.context_of(:'first') -> 'features',
    '[{"feature": "time machine <b>", "project_name": "Two"}, {"feature": "slack", "project_name": "One"}, {"feature": "export_csv", "project_name": "Two"}]'::jsonb,
    'three features of two projects: one letter, in the order they were tried');
select is(fixture.context_of(:'first') ?| '{project_name,project_id}'::text[], false, 'a letter about two projects is about no single one');
update public.projects set plan = 'pro' where id = :'two';
select is(fixture.gate_of(:'first'), 'send', 'a letter whose own project is paid for by now goes out for another one that is free');
select is(fixture.context_of(:'first') -> 'features', '[{"feature": "slack", "project_name": "One"}]'::jsonb, 'a letter names what is still true');
select is(fixture.context_of(:'first') - '{first_name,time_zone,cta_path,signal_id,occurred_at,features}'::text[], jsonb_build_object('feature', 'slack', 'project_name', 'One', 'project_id', :'one'),
    'a letter that is left with one project names that one');
update public.projects set plan = 'free' where id = :'two';
select is(fixture.send_due(), 1, 'of three attempts claimed together one letter goes out');
select results_eq(
    $$ select dedupe_key, status, reason from fixture.rows_of('E-CONV-04') where user_id = (select id from public.users where email = 'curious@example.com') order by id $$,
    format($$ values (%1$L, 'sent', null), (%2$L, 'suppressed', 'named in the letter ' || %1$L), (%3$L, 'suppressed', 'named in the letter ' || %1$L) $$,
        :'first', 'pro_feature:' || :'curious' || ':slack:' || :'month', 'pro_feature:' || :'curious' || ':export_csv:' || :'month'),
    'attempts named in another letter end with that reason'
);
select fixture.move_clock('6 days 23 hours');
select fixture.signal('pro_feature_attempted', :'curious', :'one', '{"feature": "retention"}') \g /dev/null
select is((select reason from fixture.gate_of((select dedupe_key from fixture.rows_of('E-CONV-04') where dedupe_key like '%:retention:%')) reason),
    format('suppress: such a letter went out on %s, and params.quiet is 7 days', to_char(now() at time zone 'UTC', 'YYYY-MM-DD')), 'an attempt within seven days of a letter is untrue');
select is(fixture.send_due(), 0, 'an attempt within seven days sends no letter');
select is((select status from fixture.rows_of('E-CONV-04') where dedupe_key like '%:retention:%'), 'suppressed', 'an attempt within seven days is suppressed, not put off');
select fixture.move_clock('7 days 1 hour');
select fixture.signal('pro_feature_attempted', :'curious', :'one', '{"feature": "window"}') \g /dev/null
select is((select fixture.gate_of(dedupe_key) from fixture.rows_of('E-CONV-04') where dedupe_key like '%:window:%'), 'send', 'an attempt after seven days may go');
select is((select fixture.context_of(dedupe_key) -> 'features' from fixture.rows_of('E-CONV-04') where dedupe_key like '%:window:%'),
    '[{"feature": "window", "project_name": "One"}]'::jsonb, 'a letter after seven days names the new attempt alone');
update public.email_types set params = '{"quiet": "30 days"}' where code = 'E-CONV-04';
select matches((select fixture.gate_of(dedupe_key) from fixture.rows_of('E-CONV-04') where dedupe_key like '%:window:%'), '^suppress: such a letter .* 30 days$', 'how long it stays quiet is a parameter');

select * from finish();
rollback;
