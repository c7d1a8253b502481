-- Scans: letters that no single statement of the application causes.  Each such code has one function that finds whom it is
-- due to, public.email_<code>_audience(); everything else about scanning is here, once.

create or replace function public.email_audience(code text)
returns table (user_id uuid, project_id uuid, to_email text, dedupe_key text, run_at timestamptz, payload jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    kind record;
begin
    select t.enabled into kind from public.email_types t where t.code = email_audience.code;
    if not found then
        raise exception 'unknown email type "%"', email_audience.code
            using hint = 'The known codes are: select code, name from public.email_types order by code;';
    end if;
    if to_regprocedure('public.' || public.email_function(email_audience.code, 'audience') || '()') is null then
        raise notice '% is caused by a fact and not by a scan', email_audience.code;
        kind.enabled := false;
    end if;
    if not kind.enabled then
        return query select null::uuid, null::uuid, null::text, null::text, null::timestamptz, null::jsonb where false;
        return;
    end if;
    return query execute format(
        $query$
        select a.user_id, a.project_id, null::text, a.dedupe_key, a.run_at, a.payload
        from public.%I() a
        where not exists (select from public.email_outbox o where o.dedupe_key = a.dedupe_key)
        and not exists (
            select from public.email_deliveries d
            where d.dedupe_key = a.dedupe_key and not (d.status = 'failed' and d.provider_message_id is null)
        )
        $query$, public.email_function(email_audience.code, 'audience'));
end
$$;
comment on function public.email_audience(text) is
'Who a scan of this code would write to now, and when; nothing is enqueued. Without letters whose key is known already; preferences, suppressions and the cap are asked when a letter is claimed. A disabled type writes to nobody; a paused one shows who is waiting for email_resume(). to_email null: the user''s address at the moment of sending.';
revoke all on function public.email_audience(text) from public;

-- The lock is a statement of its own: what is read after it is what the scan before left behind.
create or replace function public.email_scan(code text) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    kind record;
    found_rows integer;
    enqueued integer;
begin
    perform pg_advisory_xact_lock(hashtextextended('seqpulse-mailer: scan ' || email_scan.code, 0));
    select t.enabled, t.paused_at, t.blast_found,
        case
            when t.blast_found is not null then null -- held back once, and resumed since
            when t.params ? 'blast_limit' then (t.params ->> 'blast_limit')::integer
            else s.blast_limit
        end as blast_limit
    into kind
    from public.email_types t cross join public.email_settings s
    where t.code = email_scan.code;
    if not found then
        raise exception 'unknown email type "%"', email_scan.code
            using hint = 'The known codes are: select code, name from public.email_types order by code;';
    end if;
    if not kind.enabled or kind.paused_at is not null then
        return 0;
    end if;

    with found as materialized (
        select a.user_id, a.project_id, a.dedupe_key, a.run_at, a.payload from public.email_audience(email_scan.code) a
    ),
    counted as materialized (
        select count(*)::integer as rows from found
    ),
    enqueued as (
        insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, run_at, payload)
        select email_scan.code, f.user_id, f.project_id, f.dedupe_key, f.run_at, f.payload
        from found f
        where kind.blast_limit is null or (select c.rows from counted c) <= kind.blast_limit
        order by f.run_at, f.dedupe_key
        on conflict (dedupe_key) do nothing
        returning 1
    )
    select (select c.rows from counted c), (select count(*) from enqueued) into found_rows, enqueued;

    if found_rows > kind.blast_limit then
        update public.email_types t set
            paused_at = public.email_now(),
            paused_reason = format('blast limit: a scan found %s letters to enqueue at once, the limit is %s; email_audience(''%s'') shows them, email_resume(''%s'') lets them through',
                found_rows, kind.blast_limit, t.code, t.code),
            blast_found = found_rows
        where t.code = email_scan.code;
        raise warning 'seqpulse-mailer: % is paused: a scan found % letters to enqueue at once, the limit is %', email_scan.code, found_rows, kind.blast_limit;
        return 0;
    end if;
    if kind.blast_found is not null then
        update public.email_types t set blast_found = null where t.code = email_scan.code;
    end if;
    return enqueued;
end
$$;
comment on function public.email_scan(text) is
'Runs one scan now and answers how many letters it enqueued: 0 too for a disabled or paused type, and for a code that is not caused by a scan. More than blast_limit at once: enqueues nothing and pauses the type; after email_resume() the next run goes through.';
revoke all on function public.email_scan(text) from public;

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_audience(text), public.email_scan(text)'),
    ('select, insert on public.email_outbox'),
    ('select on public.email_types, public.email_settings, public.email_deliveries, public.email_preferences, public.email_signals'),
    ('update (paused_at, paused_reason, blast_found) on public.email_types')
) g (privileges);
