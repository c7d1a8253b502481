-- The cap: at most one capped email per recipient and category (product, marketing) in email_settings.marketing_cooldown
-- (docs/rules.md#cap).  Each recipient has a slot of either category, and the two know nothing of each other.
--
-- A slot is a row of email_marketing_slots.  The claim takes it by one conditional upsert and commits it before anything is
-- sent; of any number of sidecars that want the same slot one gets it, because the row's key is unique.  It belongs to an
-- outbox row: that row passes when it comes again (a retry, a takeover), so a sidecar that dies after taking it loses nothing.
--
--     taken        by the claim, for the recipient's heaviest due row of the category
--     kept         while the outcome is unknown, and when it stays so; on a transient failure, for the row's next try
--     moved        to sent_at when the letter was accepted
--     given back   when the provider rejected the letter for good, or the row ended otherwise before it was sent
--
-- A row that does not get it waits: run_at is the end of the cooldown, the reason says so and begins with "cap: ".

-- Who the recipient is ----------------------------------------------------------------------------------------------------
create or replace function public.email_instant(moment timestamptz) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
select to_char(moment at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')
$$;
comment on function public.email_instant(timestamptz) is 'How reasons and explanations write a moment: to the second, in UTC, whatever the session''s time zone.';
revoke all on function public.email_instant(timestamptz) from public;

-- Giving back -------------------------------------------------------------------------------------------------------------
-- Only the holder's own: a slot that another row has taken meanwhile stays.  Whichever category it was, since a type may be given
-- another one while its rows are on their way.  Rows that waited for it are looked at again; the recipient's rows of the other
-- category too, which find their own slot as it was.
-- SECURITY DEFINER: a sidecar may give slots back, and needs no right to delete for it.
create or replace function public.email_slots_free(ids bigint[], slots text[]) returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    freed text[];
begin
    with given_back as (
        delete from public.email_marketing_slots s
        where (s.recipient, s.outbox_id) in (
            -- In one order, as every function locks them.
            select h.recipient, h.outbox_id
            from unnest(slots, ids) as g (recipient, outbox_id)
            join public.email_marketing_slots h on h.recipient = g.recipient and h.outbox_id = g.outbox_id
            order by h.recipient, h.category
            for update of h
        )
        returning s.recipient
    )
    select array_agg(g.recipient) into freed from given_back g;
    if freed is null then
        return 0;
    end if;
    update public.email_outbox o set run_at = greatest(o.due_at, public.email_now()), reason = null
    where o.id in (
        select w.id from public.email_outbox w
        where w.slot = any(freed) and w.status = 'queued' and w.reason like 'cap: %'
        for update skip locked
    );
    return cardinality(freed);
end
$$;
comment on function public.email_slots_free(bigint[], text[]) is
'Gives back these slots as far as these rows still hold them, and lets the rows that wait for them try again now; answers how many were given back.';
revoke all on function public.email_slots_free(bigint[], text[]) from public;

create or replace function public.email_slots_settle(sent bigint[], rejected bigint[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    ids bigint[];
    slots text[];
begin
    if cardinality(sent) > 0 then
        update public.email_marketing_slots s set last_at = public.email_now()
        from (
            select h.recipient, h.category
            from public.email_outbox o
            join public.email_marketing_slots h on h.recipient = o.slot and h.outbox_id = o.id
            where o.id = any(sent)
            order by h.recipient, h.category
            -- Compatible with the key share of claims whose rows wait for these slots: they must not wait for each other.
            for no key update of h
        ) own
        where s.recipient = own.recipient and s.category = own.category;
    end if;
    if cardinality(rejected) > 0 then
        select array_agg(o.id), array_agg(o.slot) into ids, slots
        from public.email_outbox o
        where o.id = any(rejected) and o.slot is not null;
        if ids is not null then
            perform public.email_slots_free(ids, slots);
        end if;
    end if;
end
$$;
comment on function public.email_slots_settle(bigint[], bigint[]) is
'After an outcome: the slots of rows that were sent move to now, those of rows that the provider rejected for good are given back. Rows without a slot cost nothing. An unknown outcome is neither: its slot stays.';
revoke all on function public.email_slots_settle(bigint[], bigint[]) from public;

-- Taking --------------------------------------------------------------------------------------------------------------------
-- Three statements when every slot is free and nothing heavier is on its way; each sees what was committed before it.  No two
-- claims can wait for each other: slots are asked for in one order, by one statement, and once per transaction (asked).
-- Long, because its statements share one decision: what is asked for in one order must be asked for in one place.
create or replace function public.email_slots_take(
    ids bigint[], slots text[], categories text[], out asked boolean, out waiting bigint[], out run_ats timestamptz[], out reasons text[]
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    instant timestamptz := public.email_now();
    -- What another sidecar is deciding at this moment is looked at again this much later.
    soon timestamptz := instant + interval '5 seconds';
    settings record;
    firsts bigint[];
    first_slots text[];
    first_categories text[];
    outweighed bigint[];
    rival_run_ats timestamptz[];
    rival_reasons text[];
    taken bigint[];
begin
    asked := false;
    select s.marketing_cooldown as cooldown, s.lookahead into settings from public.email_settings s;
    if settings.cooldown <= interval '0' then
        return;
    end if;

    -- For each recipient and category the row that holds the slot already, or else, where it is free, the heaviest of this batch.
    select array_agg(b.id), array_agg(b.slot), array_agg(b.category) into firsts, first_slots, first_categories
    from (
        select distinct on (c.slot, c.category) c.id, c.slot, c.category, s.outbox_id = c.id as own, coalesce(s.last_at <= instant - settings.cooldown, true) as free
        from unnest(ids, slots, categories) with ordinality as c (id, slot, category, place)
        left join public.email_marketing_slots s on s.recipient = c.slot and s.category = c.category
        order by c.slot, c.category, s.outbox_id = c.id desc nulls last, c.place
    ) b
    where b.own or b.free;

    if firsts is not null then
        -- A heavier row of the category that is due, or will be soon, goes first.  It may be locked by another sidecar at this moment.
        with heavier as materialized (
            select c.id as candidate, f.slot, f.category, h.id, h.rank, h.run_at, h.email_type
            from unnest(firsts, first_slots, first_categories) as f (id, slot, category)
            join public.email_outbox c on c.id = f.id
            left join public.email_marketing_slots s on s.recipient = f.slot and s.category = f.category and s.outbox_id = f.id
            cross join lateral (
                select o.id, o.rank, o.run_at, o.email_type from public.email_outbox o
                where o.user_id = c.user_id and o.status = 'queued' and o.retry_at is null and o.rank > c.rank
                union
                -- Copies for another person carry this user's user_id.
                select o.id, o.rank, o.run_at, o.email_type from public.email_outbox o
                where o.to_email is not null and lower(o.to_email) = coalesce(lower(c.to_email), (select lower(u.email) from public.users u where u.id = c.user_id))
                and o.status = 'queued' and o.retry_at is null and o.rank > c.rank
            ) h
            join public.email_types t on t.code = h.email_type and t.capped and t.category = f.category and t.enabled and t.paused_at is null
            where s.recipient is null and h.run_at <= instant + settings.lookahead and h.id <> all(ids)
        )
        select array_agg(x.candidate), array_agg(greatest(x.run_at, soon)),
            array_agg(format('cap: %s (outbox %s) is heavier %s mail, due at %s', x.email_type, x.id, x.category, public.email_instant(x.run_at)))
        into outweighed, rival_run_ats, rival_reasons
        from (
            select distinct on (h.candidate) h.candidate, h.category, h.run_at, h.email_type, h.id
            from heavier h
            join public.email_gates((select array_agg(o.id) from heavier o)) g on g.id = h.id
            where g.verdict = 'send' and g.slot = h.slot
            order by h.candidate, h.run_at, h.rank desc, h.id
        ) x;

        with won as (
            insert into public.email_marketing_slots as s (recipient, category, last_at, outbox_id)
            select f.slot, f.category, instant, f.id
            from unnest(firsts, first_slots, first_categories) as f (id, slot, category)
            where f.id <> all(coalesce(outweighed, '{}'))
            order by f.slot, f.category
            on conflict (recipient, category) do update set last_at = excluded.last_at, outbox_id = excluded.outbox_id
            where s.outbox_id = excluded.outbox_id or s.last_at <= excluded.last_at - settings.cooldown
            returning s.outbox_id
        )
        select array_agg(w.outbox_id) into taken from won w;
        asked := cardinality(firsts) > coalesce(cardinality(outweighed), 0);
    end if;

    if cardinality(taken) = cardinality(ids) then
        return;
    end if;
    -- Locked against being given back until this is committed: the transaction that gives it back must see which rows wait for it.
    with losers as materialized (
        select c.id, c.slot, c.category from unnest(ids, slots, categories) as c (id, slot, category) where c.id <> all(coalesce(taken, '{}'))
    ),
    holders as materialized (
        select s.recipient, s.category, s.last_at, s.outbox_id from public.email_marketing_slots s
        where (s.recipient, s.category) in (select l.slot, l.category from losers l)
        order by s.recipient, s.category
        for key share
    )
    select array_agg(l.id),
        array_agg(coalesce(r.run_at, h.last_at + settings.cooldown, soon)),
        array_agg(coalesce(
            r.reason,
            format('cap: one capped %s email in %s, the slot is free at %s (outbox %s has it%s)', l.category, settings.cooldown,
                public.email_instant(h.last_at + settings.cooldown), h.outbox_id, ', ' || o.email_type),
            format('cap: the %s slot was given back a moment ago', l.category)
        ))
    into waiting, run_ats, reasons
    from losers l
    -- Also those lighter than the row that was outweighed.
    left join unnest(firsts, first_slots, first_categories) as f (id, slot, category) on f.slot = l.slot and f.category = l.category
    left join unnest(outweighed, rival_run_ats, rival_reasons) as r (id, run_at, reason) on r.id = f.id
    left join holders h on h.recipient = l.slot and h.category = l.category
    left join public.email_outbox o on o.id = h.outbox_id;
end
$$;
comment on function public.email_slots_take(bigint[], text[], text[]) is
'Takes the slots of these capped rows that may go out now (heaviest of each category first; slots: whose each is), and answers which must wait, until when, and why; asked: slots were fought for, so this transaction must not come again.';
revoke all on function public.email_slots_take(bigint[], text[], text[]) from public;

-- Adopting a journal -----------------------------------------------------------------------------------------------------------
create or replace function public.email_slots_seed() returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    seeded integer;
begin
    insert into public.email_marketing_slots as s (recipient, category, last_at, outbox_id)
    select coalesce(d.slot, d.user_id::text), coalesce(d.slot_category, t.category), max(d.sent_at), (array_agg(coalesce(d.outbox_id, 0) order by d.sent_at desc))[1]
    from public.email_deliveries d
    join public.email_types t on t.code = d.email_type
    cross join public.email_settings c
    where d.status = 'sent' and d.sent_at > public.email_now() - c.marketing_cooldown
    -- What took a slot, by the category it took; of the application's own sender, what would have to.
    and (d.slot is not null or t.capped)
    -- Through the index every journal has; no letter waits a month between its claim and its sending.
    and d.created_at > public.email_now() - c.marketing_cooldown - interval '31 days'
    group by 1, 2
    order by 1, 2
    on conflict (recipient, category) do update set last_at = excluded.last_at, outbox_id = excluded.outbox_id
    where s.last_at < excluded.last_at;
    get diagnostics seeded = row_count;
    return seeded;
end
$$;
comment on function public.email_slots_seed() is
'Takes the slots of the journal''s last cooldown, as migrate does when it adopts the journal of the application''s own sender; repeat it when that sender has been at work since. Answers how many slots it took or moved.';
revoke all on function public.email_slots_seed() from public;

select public.email_slots_seed();

-- Cleaning up --------------------------------------------------------------------------------------------------------------
create or replace function public.email_cleanup_slots() returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    removed integer;
begin
    delete from public.email_marketing_slots s
    where s.last_at < public.email_now() - greatest((select c.marketing_cooldown from public.email_settings c), interval '31 days');
    get diagnostics removed = row_count;
    return removed;
end
$$;
comment on function public.email_cleanup_slots() is
'Removes slots that were taken longer ago than the cooldown and 31 days; answers how many. No row waits for them, and the address of a recipient without an account does not stay.';
revoke all on function public.email_cleanup_slots() from public;

select public.email_grant(g.privileges, g.role_name)
from (values
    ('email_worker', 'select, insert, update on public.email_marketing_slots'),
    ('email_worker', 'execute on function public.email_instant(timestamptz), public.email_slots_free(bigint[], text[]), public.email_slots_settle(bigint[], bigint[]), public.email_slots_take(bigint[], text[], text[]), public.email_cleanup_slots()'),
    ('email_admin', 'insert, update, delete on public.email_marketing_slots'),
    ('email_admin', 'execute on function public.email_instant(timestamptz), public.email_slots_free(bigint[], text[]), public.email_slots_settle(bigint[], bigint[]), public.email_slots_seed(), public.email_cleanup_slots()')
) g (role_name, privileges);
