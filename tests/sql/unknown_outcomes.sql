-- Letters of which nobody knows whether they went out: listed, never sent blindly, decided by a person.
begin;
\ir support/fixtures.sql
select plan(13);

select fixture.account('nassir') as nassir \gset
update public.email_outbox set status = 'suppressed', reason = 'elsewhere', finished_at = now();
-- The application's sender began four letters and settled two; one of ours was given up, another waits for its turn again.
insert into public.email_deliveries (user_id, email_type, dedupe_key, status, payload_json, sent_at) values
(:'nassir', 'E-TRX-01', 'app:sent', 'sent', '{}', now()), (:'nassir', 'E-TRX-01', 'app:failed', 'failed', '{}', null),
(:'nassir', 'E-TRX-01', 'app:one', 'queued', '{"to_email": "old@example.com", "context": {"first_name": "Nassir"}}', null), (:'nassir', 'E-TRX-01', 'app:two', 'queued', null, null);
insert into public.email_outbox (email_type, user_id, dedupe_key) values ('E-TRX-01', :'nassir', 'ours:lost'), ('E-TRX-01', :'nassir', 'ours:again');
insert into public.email_deliveries (user_id, email_type, dedupe_key, status, payload_json, outbox_id)
select user_id, email_type, dedupe_key, case dedupe_key when 'ours:lost' then 'failed' else 'queued' end, '{"reason": "unknown outcome", "context": {}}', id
from public.email_outbox where dedupe_key like 'ours:%';
update public.email_outbox set status = 'failed', reason = 'unknown outcome', finished_at = now() where dedupe_key = 'ours:lost';

select results_eq(
    $$ select d.dedupe_key::text, u.outbox_id is null from public.email_unknown_outcomes u join public.email_deliveries d using (id) order by 1 $$,
    $$ values ('app:one', true), ('app:two', true), ('ours:lost', false) $$, 'email_unknown_outcomes lists letters whose outcome is unknown'
);
select is(public.email_enqueue('E-TRX-01', :'nassir', 'app:one'), null, 'a letter whose outcome is unknown is not enqueued again under its key');
select is((select status from public.email_doctor() where check_name = 'unknown letters'), 'warn', 'email_doctor warns of letters whose outcome is unknown');

create function fixture.resolve(key text, was_sent boolean) returns text
language sql
as $$ select public.email_resolve(d.id, was_sent) from public.email_deliveries d where d.dedupe_key = key $$;
select is(fixture.resolve('app:two', true), 'recorded as sent');
select is((select status from public.email_deliveries where dedupe_key = 'app:two'), 'sent');
select matches(fixture.resolve('app:one', false), '^enqueued again as [0-9]+$');
select is(r.to_email, 'old@example.com', 'a letter that was resolved as not sent is enqueued under its key, to its address') from fixture.row_of('app:one') r;
select is(r.payload, '{"first_name": "Nassir"}', 'a letter that was resolved as not sent is enqueued with its context') from fixture.row_of('app:one') r;
select matches(fixture.resolve('ours:lost', false), '^enqueued again as [0-9]+$', 'a letter of ours that was resolved as not sent is enqueued again');
select is(r.status, 'queued') from fixture.row_of('ours:lost') r;
select is(fixture.send_due(), 3, 'letters that are enqueued again go out, once each');
select is_empty($$ select from public.email_unknown_outcomes $$, 'email_unknown_outcomes is empty when all are resolved');
select throws_ok($$ select fixture.resolve('app:sent', false) $$, 'P0002', null, 'email_resolve refuses a letter whose outcome is known');

select * from finish();
rollback;
