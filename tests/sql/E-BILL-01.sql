-- E-BILL-01: a payment failed; three reminders, and what ends them.
begin;
\ir support/fixtures.sql
select plan(47);

select fixture.account('nassir') as nassir \gset
select fixture.account('payer') as payer \gset
select fixture.project(:'nassir', 'API Gateway', 'pro') as project \gset
select fixture.project(:'nassir', 'Other', 'pro') as other \gset
select fixture.signal('payment_failed', :'payer', :'project',
    '{"invoice_id": "in_1042", "amount": 4900, "currency": "EUR", "update_url": "https://billing.example/u/1"}') as failed \gset
select results_eq(
    $$ select dedupe_key, run_at - now(), due_at = run_at, user_id, project_id, to_email, payload ->> 'step' from fixture.rows_of('E-BILL-01') $$,
    format($$ values
        ('payment_failed:in_1042:J0', interval '0', true, %1$L::uuid, %2$L::uuid, null::text, 'J0'),
        ('payment_failed:in_1042:J3', interval '3 days', true, %1$L::uuid, %2$L::uuid, null, 'J3'),
        ('payment_failed:in_1042:J7', interval '7 days', true, %1$L::uuid, %2$L::uuid, null, 'J7'),
        ('payment_failed:in_1042:J10', interval '10 days', true, %1$L::uuid, %2$L::uuid, null, 'J10') $$, :'nassir', :'project'),
    'a failed payment causes four steps to the project''s owner, each with its key and time'
);
select is(
    fixture.context_of('payment_failed:in_1042:J7') - '{first_name,time_zone,cta_path}'::text[],
    jsonb_build_object('step', 'J7', 'invoice_id', 'in_1042', 'amount', 4900, 'currency', 'EUR', 'update_url', 'https://billing.example/u/1',
        'occurred_at', now(), 'project_name', 'API Gateway', 'project_id', :'project', 'signal_id', :failed),
    'the letter''s context: the signal''s keys, the step, the time and the project'
);
select is(fixture.context_of('payment_failed:in_1042:' || step.name), fixture.context_of('payment_failed:in_1042:J7') || jsonb_build_object('step', step.name), 'the same in ' || step.name || ', but for the step')
from unnest('{J0,J3,J10}'::text[]) step (name);
select fixture.signal('payment_failed', :'payer', :'project', '{"invoice_id": "in_1042", "amount": 4900, "currency": "EUR"}', now() + interval '1 day');
select is(cardinality(fixture.keys_of('E-BILL-01')), 4, 'the same invoice failing again starts nothing');
select is((select array_agg(distinct due_at) from fixture.rows_of('E-BILL-01')), array[now(), now() + interval '3 days', now() + interval '7 days', now() + interval '10 days'], 'and moves nothing');

-- The life of a sequence.
select fixture.send_due();
select is((fixture.row_of('payment_failed:in_1042:J0')).status, 'sent', 'the first step goes at once');
select fixture.move_clock('3 days');
select fixture.send_due();
select results_eq(
    $$ select payload ->> 'step', status from fixture.rows_of('E-BILL-01') $$,
    $$ values ('J0', 'sent'), ('J3', 'sent'), ('J7', 'queued'), ('J10', 'queued') $$, 'each of the others on its day'
);
select fixture.signal('payment_succeeded', :'nassir', :'other', '{"invoice_id": "in_7", "amount": 100, "currency": "EUR"}');
select is((fixture.row_of('payment_failed:in_1042:J7')).status, 'queued', 'a payment of another project ends nothing');
select fixture.signal('payment_succeeded', :'nassir', :'project', '{"invoice_id": "in_1041", "amount": 100, "currency": "EUR"}', now() - interval '1 second');
select is((fixture.row_of('payment_failed:in_1042:J7')).status, 'queued', 'nor does one of before the failure, told late');
select fixture.signal('payment_succeeded', :'nassir', :'project', '{"invoice_id": "in_1099", "amount": 4900, "currency": "EUR"}');
select is((fixture.row_of('payment_failed:in_1042:J7')).status, 'queued', 'nor does one of another invoice of the project');
select fixture.signal('payment_succeeded', :'nassir', :'project', '{"invoice_id": "in_1042", "amount": 4900, "currency": "EUR"}');
select results_eq(
    $$ select status, reason from fixture.rows_of('E-BILL-01') where payload ->> 'step' in ('J7', 'J10') $$,
    $$ values ('suppressed', 'paid since'), ('suppressed', 'paid since') $$,
    'its own payment ends what is left at once'
);
select results_eq(
    $$ select dedupe_key::text, status::text, payload_json ->> 'reason' from public.email_deliveries where dedupe_key like 'payment_failed:in_1042:J_%' and status = 'suppressed' order by created_at, dedupe_key desc $$,
    $$ values ('payment_failed:in_1042:J7', 'suppressed', 'paid since'), ('payment_failed:in_1042:J10', 'suppressed', 'paid since') $$,
    'and the journal knows'
);
select fixture.signal('payment_failed', :'payer', :'project', '{"invoice_id": "in_1042"}');
select is((select count(*) from fixture.rows_of('E-BILL-01') where status = 'queued'), 0::bigint, 'the old invoice starts nothing after that');
select fixture.signal('payment_failed', :'payer', :'project', '{"invoice_id": "in_1050"}');
select is((select count(*) from fixture.rows_of('E-BILL-01') where status = 'queued'), 4::bigint, 'a new one does');
select is(fixture.gate_of('payment_failed:in_1050:J0'), 'send', 'whose failure is later than the payment');
select fixture.move_clock('0');

-- Failed and paid in the same instant: what arrived last counts.
select fixture.project(:'nassir', 'Instant', 'pro') as instant \gset
select fixture.signal('payment_succeeded', :'nassir', :'instant', '{"invoice_id": "in_9"}');
select fixture.signal('payment_failed', :'nassir', :'instant', '{"invoice_id": "in_9"}');
select is(fixture.gate_of('payment_failed:in_9:J0'), 'send', 'paid, then failed: due');
select fixture.signal('payment_succeeded', :'nassir', :'instant', '{"invoice_id": "in_9"}');
select is((fixture.row_of('payment_failed:in_9:J0')).reason, 'paid since', 'failed, then paid: not');

-- Told late: the steps run from the failure.
update public.email_types set active_since = now() - interval '30 days' where code = 'E-BILL-01';
select fixture.signal('payment_failed', :'payer', :'other', '{"invoice_id": "in_1500"}', now() - interval '1 day');
select results_eq(
    $$ select payload ->> 'step', run_at - now(), due_at - now() from fixture.rows_of('E-BILL-01') where payload ->> 'invoice_id' = 'in_1500' $$,
    $$ values ('J0', interval '-1 day', interval '-1 day'), ('J3', '2 days', '2 days'), ('J7', '6 days', '6 days'), ('J10', '9 days', '9 days') $$,
    'the steps of a failure told of a day late run from when it happened'
);

-- Several overdue steps: the example of nobody sending for eight days.
select fixture.project(:'nassir', 'Late', 'pro') as late \gset
select fixture.signal('payment_failed', :'payer', :'late', '{"invoice_id": "in_2000"}');
select fixture.move_clock('8 days');
select is(fixture.gate_of('payment_failed:in_2000:J0'), 'suppress: superseded', 'superseded wins over expired');
select is(fixture.gate_of('payment_failed:in_2000:J3'), 'suppress: superseded', 'and holds for every step but the latest');
select fixture.send_due();
select results_eq(
    $$ select payload ->> 'step', status, reason from fixture.rows_of('E-BILL-01') where payload ->> 'invoice_id' = 'in_2000' $$,
    $$ values ('J0', 'suppressed', 'superseded'), ('J3', 'suppressed', 'superseded'), ('J7', 'sent', null), ('J10', 'queued', null) $$,
    'so the claim sends the latest only'
);
select results_eq(
    $$ select status::text, payload_json ->> 'reason' from public.email_deliveries where dedupe_key = 'payment_failed:in_2000:J3' $$,
    $$ values ('suppressed', 'superseded') $$, 'and the journal says why'
);
select fixture.move_clock('14 days');
select is(fixture.gate_of('payment_failed:in_2000:J10'), 'suppress: expired', 'the last step expires like any letter');
select fixture.move_clock('0');
update public.email_types set params = '{"steps": {"J0": "0 days", "J2": "2 days"}}' where code = 'E-BILL-01';
select fixture.signal('payment_failed', :'payer', :'late', '{"invoice_id": "in_2001"}');
select is((select array_agg(dedupe_key || ' ' || (run_at - now())) from fixture.rows_of('E-BILL-01') where payload ->> 'invoice_id' = 'in_2001'),
    array['payment_failed:in_2001:J0 00:00:00', 'payment_failed:in_2001:J2 2 days'], 'the steps are a parameter');
update public.email_types set params = '{"steps": {"J0": "0 days", "J3": "3 days", "J7": "7 days", "J10": "10 days"}}' where code = 'E-BILL-01';

-- Without a project the invoice decides, and the signal's user is told.
select fixture.signal('payment_failed', :'payer', null, '{"invoice_id": "in_3000"}');
select is((fixture.row_of('payment_failed:in_3000:J0')).user_id, :'payer', 'without a project it goes to the signal''s user');
select is(fixture.gate_of('payment_failed:in_3000:J0'), 'send', 'the letter may go');
select fixture.signal('payment_succeeded', :'payer', null, '{"invoice_id": "in_3000"}');
select is((fixture.row_of('payment_failed:in_3000:J10')).reason, 'paid since', 'until the invoice is paid');
insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, run_at)
values ('E-BILL-01', :'nassir', :'late', 'payment_failed:in_4000:J3', now() + interval '3 days');
select is(
    fixture.context_of('payment_failed:in_4000:J3') - '{first_name,time_zone,cta_path}'::text[],
    jsonb_build_object('invoice_id', 'in_4000', 'step', 'J3', 'project_name', 'Late', 'project_id', :'late'), 'a plain insert needs no more than the key'
);
select fixture.signal('payment_succeeded', :'nassir', :'late', '{"invoice_id": "in_4000"}', now() - interval '1 minute');
select is(fixture.gate_of('payment_failed:in_4000:J3'), 'send', 'its step tells when the payment failed: an earlier success does not count');
select fixture.signal('payment_succeeded', :'nassir', :'late', '{"invoice_id": "in_4000"}', now() + interval '1 minute');
select is((fixture.row_of('payment_failed:in_4000:J3')).reason, 'paid since', 'a later one does');

-- A payment that names no invoice: of the project, or of the user where either names no project.  Its own letter lacks the number.
select fixture.project(:'nassir', 'Unnamed', 'pro') as unnamed \gset
select fixture.project(:'nassir', 'Unnamed too', 'pro') as unnamed_too \gset
select fixture.signal('payment_failed', :'payer', :'unnamed', '{"invoice_id": "in_7000"}');
select fixture.signal('payment_failed', :'nassir', :'unnamed_too', '{"invoice_id": "in_7001"}');
select fixture.signal('payment_succeeded', :'nassir', :'unnamed', '{"amount": 4900, "currency": "EUR"}');
select is((fixture.row_of('payment_failed:in_7000:J3')).reason, 'paid since', 'a later payment of the project without an invoice ends it');
select is((fixture.row_of('payment_failed:in_7001:J3')).status, 'queued', 'and that of another project not');
select fixture.signal('payment_succeeded', :'nassir', null, '{"invoice_id": "", "amount": 4900, "currency": "EUR"}');
select is((fixture.row_of('payment_failed:in_7001:J3')).reason, 'paid since', 'without a project either it is the user''s');

-- What the letters threaten has come true, or there is nothing left to pay for.
select fixture.project(:'nassir', 'Downgraded', 'pro') as downgraded \gset
select fixture.signal('payment_failed', :'payer', :'downgraded', '{"invoice_id": "in_8000"}');
select is(fixture.gate_of('payment_failed:in_8000:J0'), 'send', 'a Pro project is reminded');
update public.projects set plan = 'enterprise' where id = :'downgraded';
select is(fixture.gate_of('payment_failed:in_8000:J0'), 'send', 'one of another paid plan too');
update public.projects set plan = 'free' where id = :'downgraded';
select is(fixture.gate_of('payment_failed:in_8000:J0'), 'suppress: project is not Pro any more', 'one that is free again is not');
delete from public.projects where id = :'downgraded';
select is(fixture.gate_of('payment_failed:in_8000:J0'), 'suppress: project is gone', 'nor is one that is gone');

-- What a fact lacks.
select fixture.signal('payment_failed', :'payer', :'project', '{"amount": 4900}');
select is((select error from fixture.errors_of('E-BILL-01')), '22004: field "invoice_id" is missing', 'without invoice_id there is no key: noted, naming the field');
select fixture.signal('payment_failed', null, null, '{"invoice_id": "in_5000"}');
select is((select error from fixture.errors_of('E-BILL-01') order by id desc limit 1), '22004: field "user_id" is missing', 'a signal without a recipient is noted as missed');
select fixture.signal('payment_failed', :'payer', :'project', '{"invoice_id": "in_5001"}', now() - interval '10 years');
select is(fixture.row_of('payment_failed:in_5001:J0') is null, true, 'a failure from before active_since causes nothing');

update public.email_types set paused_at = now() where code = 'E-BILL-01';
select is(fixture.gate_of('payment_failed:in_1050:J0'), 'wait: type paused', 'a paused type waits, before anything else is asked');
update public.email_types set paused_at = null where code = 'E-BILL-01';
update public.email_types set enabled = false where code = 'E-BILL-01';
select results_eq(
    $$ select o.reason, d.payload_json ->> 'reason' from public.email_outbox o join public.email_deliveries d using (dedupe_key) where o.dedupe_key = 'payment_failed:in_1050:J10' $$,
    $$ values ('type disabled', 'type disabled') $$, 'a disabled one is suppressed, also in the journal'
);
update public.email_types set enabled = true, active_since = now() - interval '1 day' where code = 'E-BILL-01';

select is_empty(
    $$ select fixture.broken_by('E-BILL-01', 'insert into public.email_signals (kind, project_id, payload) select ''payment_failed'', id, ''{"invoice_id": "in_6000"}'' from public.projects where name = ''Other''') $$,
    'whatever breaks on our side, the signal is recorded and the miss is noted'
);
select is_empty(
    $$ select fixture.broken_by('E-BILL-01', 'insert into public.email_signals (kind, project_id, payload) select ''payment_succeeded'', id, ''{"invoice_id": "in_6000"}'' from public.projects where name = ''Other''') $$,
    'also the one that ends the sequence'
);
select fixture.replayed_keys('E-BILL-01', 'insert into public.email_signals (kind, project_id, payload, occurred_at) select ''payment_failed'', id, ''{"invoice_id": "in_6001"}'', now() + interval ''2 hours'' from public.projects where name = ''Other''') as replayed \gset
select is(:'replayed'::text[], '{payment_failed:in_6001:J0,payment_failed:in_6001:J3,payment_failed:in_6001:J7,payment_failed:in_6001:J10}', 'what was missed is made up for');

select * from finish();
rollback;
