-- What one call of a sidecar answers: the members of each request, or when to ask again.
begin;
\ir support/fixtures.sql
select plan(13);
update public.email_types set active_since = '-infinity', enabled = code = 'E-BILL-02';
select fixture.account('nassir') as nassir \gset
delete from public.email_outbox;
create function pg_temp.row(key text, run_at timestamptz default null) returns bigint
language sql
as $$ select public.email_enqueue('E-BILL-02', u.id, key, '{"amount": 1200, "currency": "EUR"}', run_at) from public.users u where u.name like 'Nassir%' $$;

-- Nothing to do ---------------------------------------------------------------------------------------------------------------
select results_eq('select batch_id is null, next_seconds, stopped from public.email_claim_or_wait(''w'', ''console'', 100, 1, 60)', 'values (true, null::double precision, false)',
    'when nothing waits one row says so');
select is(current_setting('email.warm', true), 'yes', 'the first claim that finds nothing makes the plans of a claim');
select pg_temp.row('later', now() + interval '1 hour') as later \gset
select is((select round(w.next_seconds) from public.email_claim_or_wait('w', 'console', 100, 1, 60) w), 3600::double precision, 'when nothing is due the answer says in how many seconds the next row is');
update public.email_settings set paused_at = now();
select results_eq('select batch_id is null, stopped from public.email_claim_or_wait(''w'', ''console'', 100, 1, 60)', 'values (true, true)', 'a pause says that nothing may be sent');
update public.email_settings set paused_at = null;

-- Several requests at once -----------------------------------------------------------------------------------------------------
select pg_temp.row('row ' || n) from generate_series(1, 7) n \g /dev/null
create temporary table claimed as select row_number() over () as place, w.* from public.email_claim_or_wait('w', 'console', 2, 3, 60) w;
select is((select count(*) from claimed), 6::bigint, 'three requests of two take six');
select is((select array_agg(c.dedupe_key order by c.place) from claimed c), array(select 'row ' || n from generate_series(1, 6) n), 'the rows of a claim come in their order');
select is((select count(distinct c.batch_id) from claimed c), 3::bigint, 'each request of a claim has a number of its own');
select is((select array_agg(c.batch_id = f.batch_id order by c.place) from claimed c join claimed f on f.place = (c.place - 1) / 2 * 2 + 1), array_fill(true, array[6]),
    'the members of one request come before those of the next');
select results_eq('select o.batch_position from claimed c join public.email_outbox o using (id) order by c.place', array[0, 1, 0, 1, 0, 1], 'the members of a request have their places in it');
select is((select array_agg(w.dedupe_key) from public.email_claim_or_wait('w', 'console', 2, 3, 60) w), array['row 7'], 'rows over the size of a claim are left for the next');
update public.email_settings set paused_at = now(), paused_by = 'provider', probe_at = now() - interval '1 second';
select pg_temp.row('probe ' || n) from generate_series(1, 7) n \g /dev/null
select is((select array_agg(w.dedupe_key) from public.email_claim_or_wait('w', 'console', 2, 3, 60) w), array['probe 1'], 'a probe is one letter, however many requests are free');

-- Numbers in the journal --------------------------------------------------------------------------------------------------------
select is((select array_agg(c.delivery_id) from claimed c join public.email_outbox o using (id) where c.delivery_id <> public.email_delivery_id(o.created_at, o.dedupe_key)), null,
    'a delivery id follows from the outbox row');
select ok(public.email_delivery_id('2026-03-01', 'z') < public.email_delivery_id('2026-03-02', 'a') and public.email_delivery_id('infinity', 'a') is not null, 'delivery ids are ordered by time, also for infinity');

select * from finish();
rollback;
