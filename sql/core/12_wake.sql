-- The wake-up (docs/rules.md#wake-up): a commit with a NOTIFY in it takes a lock of the whole cluster, so that concurrent writers
-- queue for it.  A producer therefore sends one only when a sidecar sleeps, and asks that without reading or writing a row.
--
-- There are eight advisory locks in this database, the lanes: (email_wake_key(), 0 to email_wake_lanes() - 1).  Which of them a
-- sidecar holds is a number with a bit for each:
--
--     a sidecar    holds lanes exclusively, for its LISTEN session, from before it falls asleep until it is busy; once it
--                  holds all of them it claims once more, and only when that finds nothing it sleeps;
--     a producer   tries the lane of its backend shared, for its transaction.  Taken: a sidecar may sleep, so it sends a NOTIFY.
--                  (Only when something is due: looking costs more than the lane, so the lane is asked first.)
--                  Granted: no sidecar sleeps, and none can before this transaction is visible, because locks are released
--                  after that: the sidecar that takes the lane then sees the row in the claim that follows.
--
-- A second sidecar that finds the lanes taken may sleep too: their holder makes producers send NOTIFY, which all hear.
-- It looks every two seconds whether they are still held: the holder may have died, or be busy.  A sidecar that finds a lane
-- in the hands of a producer keeps claiming, with growing pauses; lanes keep one long transaction from slowing down the
-- others.  Locks are only tried, never waited for, so nothing here can block or deadlock.

create or replace function public.email_wake_key() returns integer
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
select 1936028016 -- 'seqp' in ASCII
$$;
comment on function public.email_wake_key() is 'The first number of the advisory locks of the wake-up; the second is the lane.';
revoke all on function public.email_wake_key() from public;

create or replace function public.email_wake_lanes() returns integer
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
select 8
$$;
comment on function public.email_wake_lanes() is 'How many lanes the wake-up has; email_sleep() speaks of them as bits.';
revoke all on function public.email_wake_lanes() from public;

create or replace function public.email_outbox_wake() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- First, because it is by far the cheapest question, and while a sidecar is awake the only one.
    if pg_try_advisory_xact_lock_shared(public.email_wake_key(), pg_backend_pid() % public.email_wake_lanes()) then
        return null;
    end if;
    -- A sidecar asks at least once a minute when the next row falls due.
    if not exists (
        select from inserted i
        where i.status = 'queued' and i.run_at <= public.email_now() + interval '60 seconds' and (select s.notify from public.email_settings s where s.id)
    ) then
        return null;
    end if;
    -- A full queue would make the application's commit fail.
    if pg_notification_queue_usage() < 0.5 then
        perform pg_notify('email_outbox', '');
    end if;
    return null;
exception when others then
    raise warning 'seqpulse-mailer: no sidecar is woken, the poll serves: % (%)', sqlerrm, sqlstate;
    return null;
end
$$;
comment on function public.email_outbox_wake() is
'After every statement that inserts into email_outbox: sends one NOTIFY when something falls due within 60 seconds and a sidecar may be asleep, which a taken advisory lock tells.';
revoke all on function public.email_outbox_wake() from public;

create or replace trigger email_outbox_wake after insert on public.email_outbox
referencing new table as inserted
for each statement execute function public.email_outbox_wake();

create or replace function public.email_sleep(holding integer)
returns table (lanes integer, watched boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    all_lanes constant integer := (1 << public.email_wake_lanes()) - 1;
begin
    -- Behind a pooler this may be another session than the one that said LISTEN.
    if not exists (select from pg_listening_channels() c where c = 'email_outbox')
        or not (select s.notify from public.email_settings s where s.id)
    then
        return;
    end if;
    lanes := holding;
    for lane in 0..public.email_wake_lanes() - 1 loop
        if lanes & (1 << lane) = 0 and pg_try_advisory_lock(public.email_wake_key(), lane) then
            lanes := lanes | (1 << lane);
        end if;
    end loop;
    watched := lanes = all_lanes;
    if not watched then
        watched := (
            select lanes | coalesce(bit_or(1 << l.objid::bigint::integer), 0) = all_lanes
            from pg_catalog.pg_locks l
            where l.locktype = 'advisory' and l.classid = public.email_wake_key() and l.objsubid = 2 and l.mode = 'ExclusiveLock' and l.granted
            and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
        );
    end if;
    return next;
end
$$;
comment on function public.email_sleep(integer) is
'Called by a sidecar''s LISTEN session before it sleeps, with the lanes (a bit each) it holds already: takes what is free. watched: every lane is held by this or another sidecar, so that from now on every producer sends a NOTIFY. No row: this session would not hear it.';
revoke all on function public.email_sleep(integer) from public;

select public.email_grant('execute on function public.email_sleep(integer), public.email_wake_key(), public.email_wake_lanes()', 'email_worker');
