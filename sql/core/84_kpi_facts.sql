-- What the KPI views ask about each single letter: written so that Postgres inlines it into the query that asks (one statement,
-- stable, no "set", not strict), because a call per letter costs more than the answer.  So their search_path is not pinned;
-- only the functions of the next files, whose own is, call them.

create or replace function public.email_kpi_feedback(of_delivery uuid, of_user uuid, key text)
returns table (opened boolean, clicked boolean, tracked boolean)
language sql stable
as $$
select
    coalesce(e.opened, false),
    coalesce(e.clicked, false),
    e.known is not null or exists (
        select from public.email_preferences p
        where p.user_id = of_user and p.tracking_consent
        -- A user's consent covers what went to the user: a copy's key ends with its address, and most contacts have no account.
        and (pg_catalog.strpos(key, '@') = 0 or exists (
            select from public.email_project_contacts c
            where c.user_id = of_user and pg_catalog.right(key, pg_catalog.length(c.email) + 1) = ':' || pg_catalog.lower(c.email)
        ))
    )
from (
    select
        bool_or(e.event_type = 'opened' and coalesce(e.details ->> 'machine', 'false') <> 'true') as opened,
        bool_or(e.event_type = 'clicked' and coalesce(e.details ->> 'machine', 'false') <> 'true') as clicked,
        bool_or(true) as known
    from public.email_events e
    where e.email_delivery_id = of_delivery and e.event_type in ('opened', 'clicked')
) e
$$;
comment on function public.email_kpi_feedback(uuid, uuid, text) is
'Whether a person (not a mail client''s prefetcher) opened and clicked a letter, and whether that can be known at all: its recipient consents to tracking, or something is known already. One row.';
revoke all on function public.email_kpi_feedback(uuid, uuid, text) from public;

create or replace function public.email_kpi_upgraded(of_project uuid, of_user uuid, since timestamptz, until timestamptz)
returns table (upgraded_at timestamptz)
language sql stable
as $$
select min(u.occurred_at)
from (
    select s.occurred_at from public.email_signals s
    where s.project_id = of_project and s.kind = 'plan_changed' and s.occurred_at >= since and s.occurred_at <= until
    and s.payload ->> 'from' = 'free' and s.payload ->> 'to' <> 'free'
    union all
    select s.occurred_at from public.email_signals s
    where of_project is null and s.user_id = of_user and s.kind = 'plan_changed' and s.occurred_at >= since and s.occurred_at <= until
    and s.payload ->> 'from' = 'free' and s.payload ->> 'to' <> 'free'
) u
$$;
comment on function public.email_kpi_upgraded(uuid, uuid, timestamptz, timestamptz) is
'When a project first went from free to a paid plan between since and until (signals plan_changed); of_project null: any project of the user. One row; null: it did not.';
revoke all on function public.email_kpi_upgraded(uuid, uuid, timestamptz, timestamptz) from public;
