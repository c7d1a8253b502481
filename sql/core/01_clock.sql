-- The clock every rule of ours goes through.
--
-- Before the tables: their defaults name it.

-- No pinned search_path, so that it can be inlined into every query that asks for the time; every name in it is qualified.
create or replace function public.email_now() returns timestamptz
language sql stable parallel safe
as $$
select case
    when pg_catalog.current_setting('email.clock_offset', true) operator(pg_catalog.<>) ''
        -- In UTC, so that a day of the offset is 24 hours whatever the session's time zone.
        then pg_catalog.timezone('UTC', pg_catalog.timezone('UTC', pg_catalog.now())
            operator(pg_catalog.+) pg_catalog.current_setting('email.clock_offset', true)::pg_catalog.interval)
    else pg_catalog.now()
end
$$;
comment on function public.email_now() is
'The clock of every rule: now() plus the setting email.clock_offset (an interval, normally unset). Tests move time with it; leases, backoff and heartbeats use the real clock instead.';
revoke all on function public.email_now() from public;

select public.email_grant('execute on function public.email_now()', 'email_worker');
select public.email_grant('execute on function public.email_now()', 'email_reader');
select public.email_grant('execute on function public.email_now()', 'email_admin');
