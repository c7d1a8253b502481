-- The wake-up's two sides (docs/rules.md#wake-up): a producer takes its lane for its transaction, a sidecar all of them.
-- Locks last for a transaction, so each case is one.
create extension if not exists pgtap;
select plan(10);

create view lanes as
select l.mode, l.objid::bigint::integer as lane from pg_locks l
where l.pid = pg_backend_pid() and l.locktype = 'advisory' and l.classid = public.email_wake_key();
insert into public.users (name, email, hashed_password) values ('Nassir', 'nassir@seqpulse.test', 'x');
create function enqueue(key text, run_at timestamptz default now()) returns void
language sql
as $$
insert into public.email_outbox (email_type, user_id, dedupe_key, run_at) select 'E-TRX-01', u.id, key, $2 from public.users u
$$;

-- The producer ------------------------------------------------------------------------------------------------------------
begin;
select enqueue('now') \g /dev/null
select results_eq('select mode, lane from lanes', 'select ''ShareLock'', pg_backend_pid() % 8', 'a letter that is due takes the lane of its session, shared');
select enqueue('again') \g /dev/null
select is((select count(*) from lanes), 1::bigint, 'a second letter of the transaction takes no second lane');
commit;
select is((select count(*) from lanes), 0::bigint, 'the lane is free after the transaction');
begin;
select enqueue('soon', now() + interval '59 seconds') \g /dev/null
select is((select count(*) from lanes), 1::bigint, 'a letter that falls due within a minute takes the lane');
commit;
-- Whether anything is due is asked only where the lane is taken, because asking costs more than the lane.
begin;
select enqueue('tomorrow', now() + interval '1 day') \g /dev/null
select enqueue('now') \g /dev/null
select is((select count(*) from lanes), 1::bigint, 'a letter that falls due later takes the lane as well, once');
commit;

-- The sidecar ---------------------------------------------------------------------------------------------------------------
select is_empty('select * from public.email_sleep(0)', 'a session that does not listen keeps no watch');
listen email_outbox;
select results_eq('select * from public.email_sleep(0)', 'values (255, true)', 'one that listens takes every lane');
select results_eq('select * from public.email_sleep(255)', 'values (255, true)', 'the LISTEN session keeps its lanes after the call');
select is((select count(*) from lanes where mode = 'ExclusiveLock'), 8::bigint, 'the LISTEN session holds every lane exclusively');
update public.email_settings set notify = false;
select is_empty('select * from public.email_sleep(255)', 'with notify off nobody would tell it');
select pg_advisory_unlock_all();
select * from finish();
