-- E-ADV-02: a promoter is asked for a review.
begin;
\ir support/fixtures.sql
select plan(17);

select fixture.account('nassir') as nassir \gset
select fixture.account('critic') as critic \gset
select 'review_request:' || :'nassir' as key \gset
select fixture.signal('nps_answered', :'nassir', null, '{"score": 9, "comment": "top"}') as answered \gset
select results_eq(
    $$ select dedupe_key, user_id, project_id, to_email, payload, run_at, due_at from fixture.rows_of('E-ADV-02') $$,
    format($$ values (%L, %L::uuid, null::uuid, null::text, jsonb_build_object('score', 9, 'signal_id', %s), now() + interval '1 day', now() + interval '1 day') $$, :'key', :'nassir', :answered),
    'a score of 9 causes one letter, a day later'
);
select fixture.signal('nps_answered', :'nassir', null, '{"score": 10}');
select is(fixture.keys_of('E-ADV-02'), array[:'key'], 'once in a user''s life');
select fixture.signal('nps_answered', :'critic', null, '{"score": 8}');
select is(fixture.keys_of('E-ADV-02'), array[:'key'], 'a score of 8 causes none');
select fixture.send_due();
select is((fixture.row_of(:'key')).status, 'queued', 'the letter waits for its time');
select fixture.move_clock('1 day');
select is(fixture.gate_of(:'key'), 'send', 'the letter may go once its time has come');
select is(fixture.context_of(:'key') - 'signal_id', '{"first_name": "Nassir", "time_zone": "Europe/Paris", "score": 9}', 'with the score');
insert into public.email_preferences (user_id, marketing_opt_in) values (:'nassir', false);
select is(fixture.gate_of(:'key'), 'suppress: opted out of marketing', 'not to somebody who refuses marketing');
select fixture.move_clock('0');
update public.email_types set params = '{"delay": "2 hours", "min_score": 8}' where code = 'E-ADV-02';
select fixture.signal('nps_answered', :'critic', null, '{"score": "8"}');
select is((select o.run_at from fixture.row_of('review_request:' || :'critic') o), now() + interval '2 hours', 'score and delay are parameters; a number in quotes is one');

select fixture.signal('nps_answered', :'critic', null, '{"comment": "?"}');
select is((select error from fixture.errors_of('E-ADV-02')), '22004: field "score" is missing', 'an answer without a score is noted, naming the field');
select fixture.signal('nps_answered', :'critic', null, '{"score": "ten"}');
select matches((select error from fixture.errors_of('E-ADV-02') order by id desc limit 1), '^22P02: .*"ten"', 'so is one that is no number');
select fixture.signal('nps_answered', null, null, '{"score": 10}');
select is((select error from fixture.errors_of('E-ADV-02') order by id desc limit 1), '22004: field "user_id" is missing', 'and one by nobody');
select is((select count(*) from public.email_signals where kind = 'nps_answered'), 7::bigint, 'every signal was recorded');
select fixture.account('late') as late \gset
update public.email_types set params = '{"delay": "1 day", "min_score": 9}', active_since = now() - interval '7 days' where code = 'E-ADV-02';
select fixture.signal('nps_answered', :'late', null, '{"score": 10}', now() - interval '20 hours');
select results_eq(
    $$ select dedupe_key, run_at - now(), due_at - now() from fixture.rows_of('E-ADV-02') order by id desc limit 1 $$,
    format($$ values (%L, interval '4 hours', interval '4 hours') $$, 'review_request:' || :'late'),
    'the day runs from the answer, also when it is told late'
);
select fixture.account('past') as past \gset
select fixture.signal('nps_answered', :'past', null, '{"score": 10}', now() - interval '10 years');
select is(fixture.row_of('review_request:' || :'past') is null, true, 'an answer from before active_since causes nothing');
update public.email_types set enabled = false where code = 'E-ADV-02';
select fixture.signal('nps_answered', :'past', null, '{"score": 10}');
select is(fixture.row_of('review_request:' || :'past') is null, true, 'nor does one while the type is disabled');
update public.email_types set enabled = true, active_since = now() - interval '1 day' where code = 'E-ADV-02';

select is_empty(
    $$ select fixture.broken_by('E-ADV-02', 'insert into public.email_signals (kind, user_id, payload) select ''nps_answered'', id, ''{"score": 10}'' from public.users where name like ''Past%''') $$,
    'whatever breaks on our side, the signal is recorded and the miss is noted'
);
select fixture.replayed_keys('E-ADV-02', 'insert into public.email_signals (kind, user_id, payload) select ''nps_answered'', id, ''{"score": 10}'' from public.users where name like ''Past%''') as replayed \gset
select is(:'replayed'::text[], array['review_request:' || :'past'], 'what was missed is made up for');

select * from finish();
rollback;
