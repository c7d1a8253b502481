-- The specification's seven KPIs (docs/rules.md#kpis) and what the KPI views share.
--
-- They read the application's tables through functions (docs/rules.md#good-neighbour): SECURITY DEFINER, so that a dashboard's role needs
-- no right on those tables, and they answer nothing but counts.  A KPI whose table or column is gone is null with measured 0.
--
-- A cohort counts once its window is over: with a window of 7 days and a period of 30 days it is what began between 37 and
-- 7 days ago, every case with the same chance.

-- Arithmetic -------------------------------------------------------------------------------------------------------------
create or replace function public.email_percent(part bigint, whole bigint) returns numeric
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
select round(100.0 * part / nullif(whole, 0), 2)
$$;
comment on function public.email_percent(bigint, bigint) is 'part of whole in percent, two decimals; null when whole is 0.';
revoke all on function public.email_percent(bigint, bigint) from public;

create or replace function public.email_wilson(successes bigint, trials bigint, out low numeric, out high numeric)
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
-- Wilson's score interval with z of 95 %; unlike the textbook one it is right for few trials and for rates near 0 and 100.
select
    greatest(0, 100 * (w.centre - w.reach))::numeric(9, 6),
    least(100, 100 * (w.centre + w.reach))::numeric(9, 6)
from (
    select
        (r.p + r.zz / (2 * r.n)) / (1 + r.zz / r.n) as centre,
        sqrt(r.zz * (r.p * (1 - r.p) / r.n + r.zz / (4 * r.n * r.n))) / (1 + r.zz / r.n) as reach
    from (
        select trials::double precision as n, successes / nullif(trials, 0)::double precision as p, 1.959963984540054 ^ 2 as zz
        where trials > 0
    ) r
) w
$$;
comment on function public.email_wilson(bigint, bigint) is '95 % confidence interval (Wilson) of a share, in percent; null when there were no trials.';
revoke all on function public.email_wilson(bigint, bigint) from public;

create or replace function public.email_lift(
    reached bigint, cases bigint, holdout_reached bigint, holdout_cases bigint, out lift numeric, out low numeric, out high numeric
)
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
-- Newcombe's interval of a difference, from the two Wilson intervals.
select
    (d.p - d.q)::numeric(7, 2),
    (d.p - d.q - sqrt((d.p - d.p_low) ^ 2 + (d.q_high - d.q) ^ 2))::numeric(7, 2),
    (d.p - d.q + sqrt((d.p_high - d.p) ^ 2 + (d.q - d.q_low) ^ 2))::numeric(7, 2)
from (
    select 100.0 * reached / cases as p, 100.0 * holdout_reached / holdout_cases as q,
        a.low as p_low, a.high as p_high, b.low as q_low, b.high as q_high
    from public.email_wilson(reached, cases) a cross join public.email_wilson(holdout_reached, holdout_cases) b
    where cases > 0 and holdout_cases > 0
) d
$$;
comment on function public.email_lift(bigint, bigint, bigint, bigint) is
'What a letter changed: the share among those who got it minus the share among the holdout, in percentage points, with its 95 % confidence interval (Newcombe). Below low 0 and above high 0: no effect is proven. null without a holdout.';
revoke all on function public.email_lift(bigint, bigint, bigint, bigint) from public;

-- What the views read of our own tables ----------------------------------------------------------------------------------
create or replace function public.email_kpi_letters(of_codes text[], since timestamptz, until timestamptz)
returns table (id uuid, email_type text, user_id uuid, project_id uuid, dedupe_key text, held_out boolean, at timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
-- A letter is sent within two weeks of its claim: the index on created_at bounds what is read.
select d.id, d.email_type::text, d.user_id,
    coalesce(d.project_id, case
        when d.email_type in ('E-ACT-02', 'E-ACT-03', 'E-ACT-04', 'E-CONV-01', 'E-CONV-02', 'E-CONV-03')
            then public.email_key_id(d.dedupe_key, 2)
    end),
    d.dedupe_key::text, d.status <> 'sent', coalesce(d.sent_at, d.created_at)
from public.email_deliveries d
where d.email_type = any(of_codes) and d.created_at > since - interval '14 days'
and (
    (d.status = 'sent' and d.sent_at > since and d.sent_at <= until)
    or (d.status = 'suppressed' and d.created_at > since and d.created_at <= until and d.payload_json ->> 'reason' = 'holdout')
)
$$;
comment on function public.email_kpi_letters(text[], timestamptz, timestamptz) is
'The letters of these codes that were sent, and those a holdout suppressed instead (held_out), after since and up to until; at is when.';
revoke all on function public.email_kpi_letters(text[], timestamptz, timestamptz) from public;

create or replace function public.email_kpi_invoices(since timestamptz, until timestamptz)
returns table (invoice_id text, failed_at timestamptz, paid boolean)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
-- An invoice is counted once, in the period in which its dunning ended: paid, or the last reminder's day reached.
with sequence as (
    select coalesce(max(s.value::interval), interval '10 days') as length
    from public.email_types t cross join lateral jsonb_each_text(t.params -> 'steps') s
    where t.code = 'E-BILL-01'
),
failed as (
    select s.payload ->> 'invoice_id' as invoice_id, min(s.occurred_at) as failed_at
    from public.email_signals s
    where s.kind = 'payment_failed' and s.occurred_at > since - (select q.length from sequence q) - interval '60 days' and s.occurred_at <= until
    and s.payload ->> 'invoice_id' is not null
    group by s.payload ->> 'invoice_id'
)
select f.invoice_id, f.failed_at, p.paid_at is not null
from failed f
cross join sequence q
cross join lateral (
    select min(s.occurred_at) as paid_at
    from public.email_signals s
    where s.kind = 'payment_succeeded' and s.payload ->> 'invoice_id' = f.invoice_id and s.occurred_at >= f.failed_at and s.occurred_at <= until
) p
where least(p.paid_at, f.failed_at + q.length) > since and least(p.paid_at, f.failed_at + q.length) <= until
$$;
comment on function public.email_kpi_invoices(timestamptz, timestamptz) is
'The invoices whose payment failed and whose dunning ended after since and up to until: because they were paid, or because the last of E-BILL-01''s steps was reached. paid: by until, also when that was after the last step.';
revoke all on function public.email_kpi_invoices(timestamptz, timestamptz) from public;

-- The seven --------------------------------------------------------------------------------------------------------------
-- One statement per KPI, guarded on its own: long, because it is read as that list.
create or replace function public.email_kpis_over(over interval default '30 days')
returns table (kpi text, value numeric, numerator bigint, denominator bigint, measured bigint)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set jit = off
as $$
#variable_conflict use_variable
declare
    until timestamptz := public.email_now();
    since timestamptz := until - over;
begin
    if over is null or over < interval '1 day' then
        raise exception 'a KPI is about one day at least, not about %', over using errcode = 'invalid_parameter_value';
    end if;

    kpi := 'activation_24h';
    begin
        select count(*) filter (where exists (
                select from public.projects p where p.owner_id = u.id and p.created_at <= u.created_at + interval '24 hours'
            )), count(*)
        into numerator, denominator
        from public.users u
        where u.created_at > since - interval '24 hours' and u.created_at <= until - interval '24 hours';
        measured := denominator;
    exception when undefined_column or undefined_table then
        numerator := 0; denominator := 0; measured := 0;
    end;
    value := public.email_percent(numerator, denominator);
    return next;

    kpi := 'first_deployment_72h';
    begin
        select count(*) filter (where exists (
                select from public.deployments d where d.project_id = p.id and d.started_at <= p.created_at + interval '72 hours'
            )), count(*)
        into numerator, denominator
        from public.projects p
        where p.created_at > since - interval '72 hours' and p.created_at <= until - interval '72 hours';
        measured := denominator;
    exception when undefined_column or undefined_table then
        numerator := 0; denominator := 0; measured := 0;
    end;
    value := public.email_percent(numerator, denominator);
    return next;

    -- Per project, as plans are. One that was never free (its first change starts elsewhere, or it is paid and never changed)
    -- cannot be converted.
    kpi := 'free_to_pro_conversion_30d';
    begin
        select count(u.upgraded_at), count(*)
        into numerator, denominator
        from public.projects p
        cross join lateral public.email_kpi_upgraded(p.id, null, p.created_at, p.created_at + interval '30 days') u
        left join lateral (
            select s.payload ->> 'from' as plan from public.email_signals s
            where s.project_id = p.id and s.kind = 'plan_changed'
            order by s.occurred_at, s.id
            limit 1
        ) first on true
        where p.created_at > since - interval '30 days' and p.created_at <= until - interval '30 days'
        and coalesce(first.plan, p.plan) = 'free';
        measured := denominator;
    exception when undefined_column or undefined_table then
        numerator := 0; denominator := 0; measured := 0;
    end;
    value := public.email_percent(numerator, denominator);
    return next;

    -- Per project and month: three letters about one month's quota are one attempt, whose window ends with that of its last letter.
    kpi := 'quota_email_to_upgrade';
    select count(*) filter (where exists (
            select from unnest(q.letters) as l (at)
            cross join lateral public.email_kpi_upgraded(q.project_id, q.user_id, l.at, l.at + interval '7 days') u
            where u.upgraded_at is not null
        )), count(*)
    into numerator, denominator
    from (
        select l.project_id, case when l.project_id is null then l.user_id end as user_id, array_agg(l.at) as letters, max(l.at) as last_at
        from public.email_kpi_letters(array['E-CONV-01', 'E-CONV-02', 'E-CONV-03'], since - interval '45 days', until) l
        where not l.held_out
        group by l.project_id, case when l.project_id is null then l.user_id end,
            coalesce(substring(l.dedupe_key from ':([0-9]{4}-[0-9]{2})$'), to_char(l.at, 'YYYY-MM'))
    ) q
    where q.last_at > since - interval '7 days' and q.last_at <= until - interval '7 days';
    measured := denominator;
    value := public.email_percent(numerator, denominator);
    return next;

    -- Every alert sent counts, copies to on-call people too; opens are known of those who consented to tracking only, and the value
    -- is about them.
    kpi := 'alert_open_rate';
    select count(*) filter (where f.opened), count(*), count(*) filter (where f.tracked)
    into numerator, denominator, measured
    from public.email_kpi_letters(array['E-ACT-05'], since, until) l
    cross join lateral public.email_kpi_feedback(l.id, l.user_id, l.dedupe_key) f
    where not l.held_out;
    value := public.email_percent(numerator, measured);
    return next;

    -- Per lapse: E-RET-03 and both letters of E-RET-04 about one absence are one attempt, whose window ends with that of its last letter.
    kpi := 'reactivation_rate';
    begin
        select count(*) filter (where exists (
                select from unnest(r.letters) as l (at)
                cross join lateral public.email_activity(r.user_id, l.at, l.at + interval '7 days 1 microsecond')
            )), count(*)
        into numerator, denominator
        from (
            select l.user_id, array_agg(l.at) as letters, max(l.at) as last_at
            from public.email_kpi_letters(array['E-RET-03', 'E-RET-04'], since - interval '45 days', until) l
            where not l.held_out
            group by l.user_id, substring(l.dedupe_key from ':([0-9]{4}-[0-9]{2}-[0-9]{2})')
        ) r
        where r.last_at > since - interval '7 days' and r.last_at <= until - interval '7 days';
        measured := denominator;
    exception when undefined_column or undefined_table then
        numerator := 0; denominator := 0; measured := 0;
    end;
    value := public.email_percent(numerator, denominator);
    return next;

    kpi := 'dunning_recovery_rate';
    select count(*) filter (where i.paid), count(*) into numerator, denominator
    from public.email_kpi_invoices(since, until) i;
    measured := denominator;
    value := public.email_percent(numerator, denominator);
    return next;
end
$$;
comment on function public.email_kpis_over(interval) is
'The specification''s seven KPIs over a period that ends now (30 days unless told, one day at least). See docs/kpis.md.';
revoke all on function public.email_kpis_over(interval) from public;

drop view if exists public.email_kpis;
create view public.email_kpis as
select k.kpi, k.value, k.numerator, k.denominator, k.measured from public.email_kpis_over(interval '30 days') k;
comment on view public.email_kpis is
'The specification''s seven KPIs over 30 days. A cohort counts once its window is over. It reads users, projects and the journal: for dashboards, not for every request.';
comment on column public.email_kpis.kpi is 'The specification''s name for it; defined in docs/kpis.md.';
comment on column public.email_kpis.value is 'numerator of measured in percent, two decimals; null when nothing could be measured.';
comment on column public.email_kpis.numerator is 'How many reached the aim.';
comment on column public.email_kpis.denominator is 'How many could have: sign-ups, projects, alerts, invoices, … whose window is over.';
comment on column public.email_kpis.measured is 'How many of the denominator could be measured at all: for opens those who consented to tracking, otherwise all; 0 when a source is missing.';

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_reader', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_kpis_over(interval)'),
    ('select on public.email_kpis')
) g (privileges);
