-- The rate budget: providers count requests per account, so all sidecars take their turns from one row.  Turns are spaced
-- evenly, four per cent wider than the limit asks, so that jitter does not push an eleventh request into a second.

-- No pinned search_path, so that it becomes a part of the statements that ask for it and they use the index by rank.
create or replace function public.email_urgent(rank integer) returns boolean
language sql immutable parallel safe
as $$
select rank operator(pg_catalog.>=) 80
$$;
comment on function public.email_urgent(integer) is
'Whether a letter of this rank is urgent: it waits for two turns of the rate budget at most, and a sidecar keeps its last free request for it.';
revoke all on function public.email_urgent(integer) from public;

create or replace function public.email_take_turn(provider text, rate double precision, urgent boolean)
returns table (granted boolean, wait_seconds double precision)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    moment timestamptz := clock_timestamp();
    budget record;
    pace double precision;
    spacing interval;
begin
    if coalesce(rate, 0) <= 0 then
        return query select true, 0::double precision;
        return;
    end if;
    loop
        select r.* into budget from public.email_rates r where r.provider = $1;
        exit when found;
        insert into public.email_rates (provider, ceiling, per_second) values ($1, rate, rate) on conflict do nothing;
    end loop;
    pace := least(rate, coalesce(budget.provider_limit, rate), budget.per_second + rate * extract(epoch from moment - budget.adjusted_at) / 60);
    spacing := make_interval(secs => 1.04 / greatest(pace, 0.01));

    -- Bulk mail reserves two turns ahead at most, so that an urgent letter never stands behind a long line of it.
    if not urgent and budget.next_at > moment + 2 * spacing then
        return query select false, extract(epoch from budget.next_at - moment - spacing + random() * spacing)::double precision;
        return;
    end if;

    update public.email_rates r set
        ceiling = rate,
        per_second = least(rate, r.per_second + rate * greatest(extract(epoch from moment - r.adjusted_at), 0) / 60),
        adjusted_at = greatest(r.adjusted_at, moment),
        next_at = greatest(r.next_at, moment) + spacing
    where r.provider = $1 and (urgent or r.next_at <= moment + 2 * spacing)
    returning greatest(extract(epoch from r.next_at - spacing - moment), 0)::double precision into wait_seconds;
    granted := found;
    wait_seconds := case when granted then wait_seconds else extract(epoch from spacing * (1 + random())) end;
    return next;
end
$$;
comment on function public.email_take_turn(text, double precision, boolean) is
'Takes the fleet''s next turn for one request, or says that none can be had yet. Granted: the request leaves after wait_seconds. Not granted: ask again after wait_seconds. rate 0 or null is unlimited.';
revoke all on function public.email_take_turn(text, double precision, boolean) from public;

create or replace function public.email_slow_down(provider text, wait_seconds double precision) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Several requests of one second hear the same complaint: the rate falls once for all of them.
    update public.email_rates r set
        per_second = case when r.limited_at > clock_timestamp() - interval '1 second' then r.per_second else greatest(r.per_second * 0.7, least(r.ceiling, 0.5)) end,
        adjusted_at = clock_timestamp(),
        next_at = greatest(r.next_at, clock_timestamp() + make_interval(secs => least(greatest(coalesce(wait_seconds, 0), 1), 60))),
        limited = r.limited + 1,
        limited_at = clock_timestamp()
    where r.provider = $1;
end
$$;
comment on function public.email_slow_down(text, double precision) is 'The provider said "too many requests": every sidecar waits as long as it asked (a second to a minute), and then goes slower for a while.';
revoke all on function public.email_slow_down(text, double precision) from public;

create or replace function public.email_note_limit(provider text, provider_limit double precision) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    update public.email_rates r set provider_limit = $2
    where r.provider = $1 and $2 > 0 and r.provider_limit is distinct from $2;
end
$$;
comment on function public.email_note_limit(text, double precision) is 'Remembers how many requests a second the provider''s own headers allow.';
revoke all on function public.email_note_limit(text, double precision) from public;

create or replace function public.email_urgent_due() returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
begin
    -- In PL/pgSQL, because that keeps its plan (which must not be one for an empty table) where a SQL function would be planned
    -- anew at each call.
    return (
        with recursive ranks as (
            (
                select o.rank from public.email_outbox o
                where o.status = 'queued' and o.retry_at is null and public.email_urgent(o.rank)
                order by o.rank desc
                limit 1
            )
            union all
            select (
                select o.rank from public.email_outbox o
                where o.status = 'queued' and o.retry_at is null and o.rank < r.rank and public.email_urgent(o.rank)
                order by o.rank desc
                limit 1
            )
            from ranks r
            where r.rank is not null
        )
        select exists (
            select from ranks r
            where exists (
                select from public.email_outbox o
                where o.status = 'queued' and o.retry_at is null and o.rank = r.rank and o.run_at <= public.email_now()
            )
        )
    );
end
$$;
comment on function public.email_urgent_due() is
'Whether an urgent letter (email_urgent) is due: a sidecar keeps its last free request for those. One short index scan per rank, however many lie ahead.';
revoke all on function public.email_urgent_due() from public;

select public.email_grant(g.privileges, 'email_worker')
from (values
    ('select, insert, update on public.email_rates'),
    ('execute on function public.email_urgent(integer), public.email_urgent_due(), public.email_take_turn(text, double precision, boolean), public.email_slow_down(text, double precision), public.email_note_limit(text, double precision)')
) g (privileges);
select public.email_grant('select on public.email_rates', r.role_name) from unnest(array['email_reader', 'email_admin']) r (role_name);
