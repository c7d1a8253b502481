-- Changes of projects.plan are recorded as signals.
begin;
\ir support/fixtures.sql
select plan(9);

select fixture.account('nassir') as nassir \gset
select fixture.project(:'nassir', 'One') as one \gset
select fixture.project(:'nassir', 'Two') as two \gset
select is_empty($$ select from public.email_signals $$, 'a new project is no change');
update public.projects set plan = 'pro' where id = :'one';
select results_eq(
    $$ select kind, user_id, project_id, payload, occurred_at from public.email_signals $$,
    format($$ values ('plan_changed', %L::uuid, %L::uuid, '{"from": "free", "to": "pro"}'::jsonb, now()) $$, :'nassir', :'one'),
    'a change of plan is'
);
update public.projects set plan = 'pro' where id = :'one';
update public.projects set name = name || '!';
select is((select count(*) from public.email_signals), 1::bigint, 'an update that leaves it as it was is none');
select fixture.move_clock('2 days');
update public.projects set plan = 'enterprise';
select results_eq(
    $$ select project_id, payload, occurred_at from public.email_signals where id > 0 and payload ->> 'to' = 'enterprise' order by payload ->> 'from' $$,
    format($$ values (%L::uuid, '{"from": "free", "to": "enterprise"}'::jsonb, now() + interval '2 days'), (%L::uuid, '{"from": "pro", "to": "enterprise"}', now() + interval '2 days') $$, :'two', :'one'),
    'a bulk update records each, by the clock of the rules'
);
select fixture.move_clock('0');
update public.projects set plan = 'free';
select is((select count(*) from public.email_signals), 5::bigint, 'so is the way back');

alter table public.email_signals rename to gone;
update public.projects set plan = 'pro' where id = :'one';
alter table public.gone rename to email_signals;
select is((select plan from public.projects where id = :'one'), 'pro', 'whatever breaks on our side, the plan is changed');
select results_eq(
    $$ select source, email_type, row_data ->> 'from', row_data ->> 'to' from public.email_trigger_errors $$,
    $$ values ('email_plan_changes', null::text, 'free', 'pro') $$, 'and the miss is noted'
);
select fixture.move_clock('1 day');
select is(public.email_replay_errors(), 1, 'what was missed is made up for');
select is((select occurred_at from public.email_signals order by id desc limit 1), now(), 'for the time it happened');

select * from finish();
rollback;
