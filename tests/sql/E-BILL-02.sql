-- E-BILL-02: a payment succeeded.
begin;
\ir support/fixtures.sql
select plan(22);

select fixture.account('nassir') as nassir \gset
select fixture.account('payer') as payer \gset
select fixture.project(:'nassir', 'API Gateway', 'pro') as project \gset
select fixture.signal('payment_succeeded', :'payer', :'project', '{"invoice_id": "in_1042", "amount": 4900, "currency": "EUR", "invoice_url": "https://billing.example/in_1042.pdf"}') as paid \gset
select 'payment_succeeded:in_1042' as key \gset
select results_eq(
    $$ select dedupe_key, user_id, project_id, to_email, run_at, due_at from fixture.rows_of('E-BILL-02') $$,
    format($$ values (%L, %L::uuid, %L::uuid, null::text, now(), now()) $$, :'key', :'nassir', :'project'),
    'a payment causes one letter to the project''s owner, now'
);
select fixture.signal('payment_succeeded', :'payer', :'project', '{"invoice_id": "in_1042", "amount": 4900, "currency": "EUR"}');
select is(fixture.keys_of('E-BILL-02'), array[:'key'], 'once for each invoice');
select is(fixture.gate_of(:'key'), 'send', 'the letter may go');
insert into public.email_preferences (user_id, marketing_opt_in, product_updates_opt_in) values (:'nassir', false, false);
update public.users set is_active = false;
select is(fixture.gate_of(:'key'), 'send', 'whatever the owner refuses and whether or not they are active');
select is(
    fixture.context_of(:'key') - '{first_name,time_zone,cta_path}'::text[],
    jsonb_build_object('invoice_id', 'in_1042', 'amount', 4900, 'currency', 'EUR', 'invoice_url', 'https://billing.example/in_1042.pdf',
        'occurred_at', now(), 'project_name', 'API Gateway', 'project_id', :'project', 'signal_id', :paid, 'payment', 'first'),
    'without deployments in the month before, the letter tells no figures'
);
select date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' as this_month, (date_trunc('month', now() at time zone 'UTC') - interval '1 month') at time zone 'UTC' as last_month \gset
insert into public.deployments (project_id, deployment_number, env, state, started_at) values
(:'project', 1, 'a', 'analyzed', :'last_month'::timestamptz - interval '1 second'),
(:'project', 2, 'b', 'analyzed', :'last_month'),
(:'project', 3, 'c', 'analyzed', :'this_month'::timestamptz - interval '1 second'),
(:'project', 4, 'd', 'analyzed', :'this_month'::timestamptz - interval '1 day'),
(:'project', 5, 'e', 'pending', :'this_month'::timestamptz - interval '2 days'),
(:'project', 6, 'f', 'analyzed', :'this_month');
insert into public.deployment_verdicts (deployment_id, verdict, confidence)
select d.id, (array['rollback_recommended', 'warning', 'rollback_recommended', 'warning', null, 'warning'])[d.deployment_number], 0.5
from public.deployments d where d.deployment_number <> 5;
update public.deployments set pipeline_result = case deployment_number when 4 then 'failed' when 1 then 'failed' else 'success' end where deployment_number <= 4;
select is(
    fixture.context_of(:'key') - '{first_name,time_zone,cta_path,invoice_id,amount,currency,invoice_url,occurred_at,project_name,project_id,signal_id,payment}'::text[],
    jsonb_build_object('month', to_char(:'last_month'::timestamptz at time zone 'UTC', 'YYYY-MM'), 'deployments', 4, 'analysed', 3, 'warnings', 2, 'rollbacks', 1, 'failed_pipelines', 1),
    'the figures are those of the last full UTC month: three of four have a verdict, one pipeline failed'
);
delete from public.projects;
select is(fixture.gate_of(:'key'), 'send', 'a payment is confirmed even when the project is gone');
select is(fixture.context_of(:'key') ? 'project_name', false, 'without its name');

select fixture.signal('payment_succeeded', :'payer', null, '{"invoice_id": "in_2", "amount": 1, "currency": "EUR"}');
select is((fixture.row_of('payment_succeeded:in_2')).user_id, :'payer', 'without a project it goes to the signal''s user');
select fixture.signal('payment_succeeded', :'payer', null, '{"amount": 1, "currency": "EUR"}');
select is((select error from fixture.errors_of('E-BILL-02')), '22004: field "invoice_id" is missing', 'without invoice_id there is no key: noted, naming the field');
select fixture.signal('payment_succeeded', null, null, '{"invoice_id": "in_3"}');
select is((select error from fixture.errors_of('E-BILL-02') order by id desc limit 1), '22004: field "user_id" is missing', 'a signal without a recipient is noted as missed');
select fixture.signal('payment_succeeded', :'payer', null, '{"invoice_id": "in_4"}', now() - interval '10 years');
select is(fixture.row_of('payment_succeeded:in_4') is null, true, 'a payment from before active_since causes nothing');
update public.email_types set active_since = now() - interval '90 days' where code = 'E-BILL-02';
select fixture.project(:'nassir', 'Late', 'pro') as late \gset
insert into public.deployments (project_id, deployment_number, env, state, started_at)
select :'late', n, 'prod', 'analyzed', :'last_month'::timestamptz - interval '1 month' + make_interval(hours => n) from generate_series(1, 3) n;
select fixture.signal('payment_succeeded', :'payer', :'late', '{"invoice_id": "in_8"}', :'last_month'::timestamptz + interval '1 hour');
select results_eq(
    $$ select run_at, due_at, fixture.context_of(dedupe_key) ->> 'month', fixture.context_of(dedupe_key) ->> 'deployments' from fixture.row_of('payment_succeeded:in_8') $$,
    format($$ values (%1$L::timestamptz, %1$L::timestamptz, %2$L, '3') $$, :'last_month'::timestamptz + interval '1 hour', to_char((:'last_month'::timestamptz at time zone 'UTC') - interval '1 month', 'YYYY-MM')),
    'told late: due when it was paid, with the full month before that'
);
insert into public.email_outbox (email_type, user_id, dedupe_key) values ('E-BILL-02', :'payer', 'payment_succeeded:in_5');
select is(fixture.context_of('payment_succeeded:in_5') ->> 'invoice_id', 'in_5', 'a plain insert finds its invoice in the key');

-- First payment, renewal, or neither known.
create function pg_temp.payment(invoice text) returns text language sql as $$ select fixture.context_of('payment_succeeded:' || invoice) ->> 'payment' $$;
select fixture.project(:'nassir', 'Old', 'pro') as old \gset
update public.projects set created_at = now() - interval '1 year' where id = :'old';
select fixture.signal('payment_succeeded', :'payer', :'old', '{"invoice_id": "old_1"}');
select is(pg_temp.payment('old_1'), null, 'a project that was Pro before we came: nothing tells whether it paid before');
select fixture.signal('payment_succeeded', :'payer', :'old', '{"invoice_id": "old_2"}', now() + interval '1 month');
select is(pg_temp.payment('old_2'), 'renewal', 'its next payment is a renewal');
select is(pg_temp.payment('old_1'), null, 'which makes the first one no more certain');
select fixture.project(:'nassir', 'Upgraded') as upgraded \gset
update public.projects set created_at = now() - interval '1 year' where id = :'upgraded';
update public.projects set plan = 'pro' where id = :'upgraded';
select fixture.signal('payment_succeeded', :'payer', :'upgraded', '{"invoice_id": "up_1"}');
select is(pg_temp.payment('up_1'), 'first', 'one that was free until now pays for the first time');
select fixture.project(:'nassir', 'Reminded', 'pro') as reminded \gset
select fixture.signal('payment_failed', :'payer', :'reminded', '{"invoice_id": "late_1"}', now() - interval '3 days');
select fixture.signal('payment_succeeded', :'payer', :'reminded', '{"invoice_id": "late_1"}');
select is(pg_temp.payment('late_1'), null, 'what was reminded of does not begin with the payment');
select fixture.signal('payment_succeeded', :'payer', null, '{"invoice_id": "none_1"}', now() + interval '1 day');
select is(pg_temp.payment('none_1'), 'renewal', 'without a project the user''s payments without one are compared');

select is_empty(
    $$ select fixture.broken_by('E-BILL-02', 'insert into public.email_signals (kind, user_id, payload) select ''payment_succeeded'', id, ''{"invoice_id": "in_6"}'' from public.users limit 1') $$,
    'whatever breaks on our side, the signal is recorded and the miss is noted'
);
select fixture.replayed_keys('E-BILL-02', 'insert into public.email_signals (kind, user_id, payload) select ''payment_succeeded'', id, ''{"invoice_id": "in_7"}'' from public.users limit 1') as replayed \gset
select is(:'replayed'::text[], '{payment_succeeded:in_7}', 'what was missed is made up for');

select * from finish();
rollback;
