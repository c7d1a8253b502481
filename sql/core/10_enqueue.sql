-- How work comes in: the admission of outbox rows, email_enqueue and email_signal.

-- A key that the journal knows ------------------------------------------------------------------------------------------
-- SQL without settings of its own, so that it becomes a part of the statement that asks: in "not exists (select from …)" one look at
-- the index for each row, whatever the statement's plan was made for.
create or replace function public.email_journaled(key text) returns table (delivery_id uuid)
language sql stable
as $$
-- A failed letter the provider never took may be tried again under its key (docs/rules.md#one-key-one-letter).
select d.id from public.email_deliveries d
where d.dedupe_key operator(pg_catalog.=) key and not (d.status operator(pg_catalog.=) 'failed' and d.provider_message_id is null)
$$;
comment on function public.email_journaled(text) is 'The journal''s row that keeps this key from being queued again; none for a new key, and for a letter that failed without reaching the provider.';
revoke all on function public.email_journaled(text) from public;

-- Admission ----------------------------------------------------------------------------------------------------------
-- Decides before the row exists, so that a plain INSERT of a known key or of a disabled type is skipped without an error.  The
-- triggers of the codes do the same set-wise: their rows come with rank, and are not looked at again one by one.  That a rank is
-- written is not enough to be let through: it must be written by a trigger.
-- SECURITY DEFINER: a role that may insert needs no right on the catalogue and the journal.  enable_seqscan off: a session keeps
-- its plans, and one made while the outbox was empty would read all of it for every row of the next large statement.  jit off:
-- a table too small for an index scan would look so costly then that its plan would be compiled.
create or replace function public.email_outbox_admit() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
    kind record;
begin
    -- One statement, because starting one costs more than what these look up.
    select t.enabled, t.priority,
        exists (select from public.email_outbox o where o.dedupe_key = new.dedupe_key)
        or exists (select from public.email_journaled(new.dedupe_key)) as known
    into kind
    from public.email_types t
    where t.code = new.email_type;
    if not found then
        raise exception 'unknown email type "%"', new.email_type
            using errcode = 'foreign_key_violation', table = 'email_outbox', column = 'email_type', schema = 'public',
                  constraint = 'email_outbox_email_type_fkey',
                  hint = 'The known codes are: select code, name from public.email_types order by code;';
    end if;
    if kind.known or not kind.enabled and new.status = 'queued' then
        return null;
    end if;
    new.run_at := coalesce(new.run_at, public.email_now());
    new.due_at := coalesce(new.due_at, new.run_at);
    new.rank := coalesce(new.priority, kind.priority);
    return new;
end
$$;
comment on function public.email_outbox_admit() is
'Before an insert into email_outbox, except by the triggers of the codes, which do the same for many rows at once: refuses unknown codes, skips known keys and disabled types, fills due_at and rank.';
revoke all on function public.email_outbox_admit() from public;

create or replace trigger email_outbox_admit before insert on public.email_outbox
for each row when (new.rank is null or pg_trigger_depth() = 0)
execute function public.email_outbox_admit();

create or replace function public.email_outbox_rank() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    new.rank := coalesce(new.priority, (select t.priority from public.email_types t where t.code = new.email_type), old.rank);
    return new;
end
$$;
comment on function public.email_outbox_rank() is 'Keeps email_outbox.rank in step when a person changes a row''s priority.';
revoke all on function public.email_outbox_rank() from public;

create or replace trigger email_outbox_rank before update of priority, email_type on public.email_outbox
for each row when (old.priority is distinct from new.priority or old.email_type <> new.email_type)
execute function public.email_outbox_rank();

-- email_enqueue --------------------------------------------------------------------------------------------------------
create or replace function public.email_enqueue(
    email_type text,
    user_id uuid,
    dedupe_key text,
    payload jsonb default '{}',
    run_at timestamptz default null,
    project_id uuid default null,
    to_email text default null
) returns bigint
language sql
set search_path = pg_catalog, pg_temp
as $$
insert into public.email_outbox (email_type, user_id, dedupe_key, payload, run_at, project_id, to_email)
values ($1, $2, $3, coalesce($4, '{}'), coalesce($5, public.email_now()), $6, $7)
on conflict (dedupe_key) do nothing
returning id
$$;
comment on function public.email_enqueue(text, uuid, text, jsonb, timestamptz, uuid, text) is
'Enqueues one email; answers its id, or null when the key is known already or the type is disabled. run_at null means now, to_email null the user''s address at the moment of sending.';
revoke all on function public.email_enqueue(text, uuid, text, jsonb, timestamptz, uuid, text) from public;

-- email_signal ---------------------------------------------------------------------------------------------------------
-- The time is filled by a trigger and not by a default, because a default would need the application's role to have
-- EXECUTE on email_now(): it has INSERT on this table and nothing else.  So is a login's device, and for the same reason it is a column
-- and not an expression of an index.
create or replace function public.email_signals_fill() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    new.device := null;
    if new.occurred_at is null then
        new.occurred_at := public.email_now();
    end if;
    if new.kind in ('login', 'suspicious_login') then
        new.device := public.email_device(new.payload ->> 'device');
    end if;
    return new;
exception when others then
    -- A broken clock (a setting that is no interval) must not lose the fact.
    new.occurred_at := coalesce(new.occurred_at, now());
    return new;
end
$$;
comment on function public.email_signals_fill() is 'Before every insert into email_signals: a fact without a time happened now; of a login the device is kept as browser and system.';
revoke all on function public.email_signals_fill() from public;

create or replace trigger email_signals_fill before insert on public.email_signals
for each row execute function public.email_signals_fill();

create or replace function public.email_signal(
    kind text,
    user_id uuid default null,
    project_id uuid default null,
    payload jsonb default '{}',
    occurred_at timestamptz default null,
    idempotency_key text default null
) returns bigint
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
insert into public.email_signals (kind, user_id, project_id, payload, occurred_at, idempotency_key)
values ($1, $2, $3, coalesce($4, '{}'), $5, $6)
on conflict (idempotency_key) do nothing
returning id
$$;
comment on function public.email_signal(text, uuid, uuid, jsonb, timestamptz, text) is
'Records a fact no table of the application holds; answers its id, or null when the idempotency key is known already.';
revoke all on function public.email_signal(text, uuid, uuid, jsonb, timestamptz, text) from public;

select public.email_grant('execute on function public.email_enqueue(text, uuid, text, jsonb, timestamptz, uuid, text), public.email_signal(text, uuid, uuid, jsonb, timestamptz, text)', 'email_admin');
select public.email_grant('execute on function public.email_signal(text, uuid, uuid, jsonb, timestamptz, text)', 'email_app');
