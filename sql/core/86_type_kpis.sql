-- Each email's own KPI, as the specification names it (docs/rules.md#letters), and what the email itself changed where a holdout is set.
--
-- Holdout and recipients are compared on equal terms: whether a letter is still true is asked after the holdout, so somebody held
-- out may have done already what the letter asks for; such cases count on neither side.
--
-- One statement per family of letters, guarded on its own: when a column of the application is gone, that family is null with
-- measured 0 and the others still answer.

create or replace function public.email_type_kpi_counts(over interval)
returns table (code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set jit = off
as $$
#variable_conflict use_column
declare
    until timestamptz := public.email_now();
    since timestamptz := until - over;
begin
    -- A project within 24 hours of the sign-up.
    begin
        return query
        select l.email_type, 'project_created_24h', l.held_out, count(*) filter (where p.created_at is not null), count(*), count(*), null::numeric
        from public.email_kpi_letters(array['E-TRX-01', 'E-ACT-01'], since - interval '24 hours', until - interval '24 hours') l
        join public.users u on u.id = l.user_id
        left join lateral (
            select min(p.created_at) as created_at from public.projects p
            where p.owner_id = u.id and p.created_at <= u.created_at + interval '24 hours'
        ) p on true
        where l.email_type = 'E-TRX-01' or p.created_at is null or p.created_at >= l.at
        group by l.email_type, l.held_out;
    exception when undefined_column or undefined_table then null;
    end;

    -- An invitation accepted within seven days of its first letter.
    return query
    select 'E-TRX-02', 'invitation_accepted_7d', i.held_out, count(*) filter (where a.accepted_at <= i.first_at + interval '7 days'), count(*), count(*), null::numeric
    from (
        select split_part(l.dedupe_key, ':', 2) as invitation_id, l.held_out, min(l.at) as first_at
        from public.email_kpi_letters(array['E-TRX-02'], since - interval '17 days', until) l
        group by split_part(l.dedupe_key, ':', 2), l.held_out
    ) i
    cross join lateral (
        select min(s.occurred_at) as accepted_at from public.email_signals s
        where s.kind in ('invitation_accepted', 'invitation_revoked') and s.kind = 'invitation_accepted' and s.payload ->> 'invitation_id' = i.invitation_id
    ) a
    where i.first_at > since - interval '7 days' and i.first_at <= until - interval '7 days'
    and (a.accepted_at is null or a.accepted_at >= i.first_at)
    group by i.held_out;

    -- From the alert that two-factor authentication is off to its being on again, within seven days.
    return query
    select 'E-SEC-01', 'reaction_time', false, count(r.reacted_at), count(*), count(*),
        (percentile_cont(0.5) within group (order by extract(epoch from r.reacted_at - l.at)::double precision / 60))::numeric
    from public.email_kpi_letters(array['E-SEC-01'], since - interval '7 days', until - interval '7 days') l
    cross join lateral (
        select min(d.created_at) as reacted_at from public.email_deliveries d
        where d.user_id = l.user_id and d.email_type = 'E-SEC-01' and split_part(d.dedupe_key, ':', 3) = 'on'
        and d.created_at > l.at and d.created_at <= l.at + interval '7 days'
    ) r
    where not l.held_out and split_part(l.dedupe_key, ':', 3) = 'off';

    -- A first deployment within 72 hours of the project.
    begin
        return query
        select 'E-ACT-02', 'first_deployment_72h', l.held_out, count(*) filter (where d.started_at <= p.created_at + interval '72 hours'), count(*), count(*), null::numeric
        from public.email_kpi_letters(array['E-ACT-02'], since - interval '72 hours', until - interval '72 hours') l
        join public.projects p on p.id = l.project_id
        cross join lateral (select min(d.started_at) as started_at from public.deployments d where d.project_id = p.id) d
        where d.started_at is null or d.started_at >= l.at
        group by l.held_out;
    exception when undefined_column or undefined_table then null;
    end;

    -- A deployment finished within seven days of the letter.
    begin
        return query
        select 'E-ACT-03', 'deployment_finished_7d', l.held_out, count(*) filter (where d.finished_at <= l.at + interval '7 days'), count(*), count(*), null::numeric
        from public.email_kpi_letters(array['E-ACT-03'], since - interval '7 days', until - interval '7 days') l
        cross join lateral (select min(d.finished_at) as finished_at from public.deployments d where d.project_id = l.project_id) d
        where d.finished_at is null or d.finished_at >= l.at
        group by l.held_out;
    exception when undefined_column or undefined_table then null;
    end;

    -- Opens and clicks.  None of E-SEC-02: security mail is never tracked.
    return query
    select l.email_type, w.kpi, false, count(*) filter (where case w.event_type when 'opened' then f.opened else f.clicked end),
        count(*), count(*) filter (where f.tracked), null::numeric
    from public.email_kpi_letters(array['E-ACT-04', 'E-ADV-02'], since, until) l
    join (values
        ('E-ACT-04', 'open_rate', 'opened'), ('E-ACT-04', 'click_rate', 'clicked'), ('E-ADV-02', 'review_click_rate', 'clicked')
    ) w (code, kpi, event_type) on w.code = l.email_type
    cross join lateral public.email_kpi_feedback(l.id, l.user_id, l.dedupe_key) f
    where not l.held_out
    group by l.email_type, w.kpi;

    -- Per deployment: from the first alert to the first look at the verdict, within 24 hours.
    return query
    select 'E-ACT-05', 'time_to_first_useful_read', false, count(v.viewed_at), count(*), count(*),
        (percentile_cont(0.5) within group (order by extract(epoch from v.viewed_at - a.first_at)::double precision / 60))::numeric
    from (
        select split_part(l.dedupe_key, ':', 2) as deployment_id, min(l.at) as first_at
        from public.email_kpi_letters(array['E-ACT-05'], since - interval '24 hours', until - interval '24 hours') l
        where not l.held_out
        group by split_part(l.dedupe_key, ':', 2)
    ) a
    cross join lateral (
        select min(s.occurred_at) as viewed_at from public.email_signals s
        where s.kind = 'verdict_viewed' and s.payload ->> 'deployment_id' = a.deployment_id
        and s.occurred_at >= a.first_at and s.occurred_at <= a.first_at + interval '24 hours'
    ) v;

    -- Per deployment: from the first alert to the next verdict "ok" of its project and environment, within seven days.
    begin
        return query
        select 'E-ACT-05', 'mttr', false, count(r.recovered_at), count(*), count(*),
            (percentile_cont(0.5) within group (order by extract(epoch from r.recovered_at - a.first_at)::double precision / 60))::numeric
        from (
            select public.email_key_id(l.dedupe_key, 2) as deployment_id, min(l.at) as first_at
            from public.email_kpi_letters(array['E-ACT-05'], since - interval '7 days', until - interval '7 days') l
            where not l.held_out
            group by public.email_key_id(l.dedupe_key, 2)
        ) a
        join public.deployments b on b.id = a.deployment_id
        cross join lateral (
            select min(v.created_at) as recovered_at
            from public.deployments d join public.deployment_verdicts v on v.deployment_id = d.id
            where d.project_id = b.project_id and d.env = b.env and d.started_at > b.started_at and d.started_at <= a.first_at + interval '7 days'
            and v.verdict = 'ok' and v.created_at > a.first_at and v.created_at <= a.first_at + interval '7 days'
        ) r;
    exception when undefined_column or undefined_table then null;
    end;

    -- From free to a paid plan; E-CONV-02 before a deployment was refused.
    return query
    select w.code, w.kpi, l.held_out,
        count(*) filter (where u.upgraded_at is not null and (w.code <> 'E-CONV-02' or not exists (
            select from public.email_signals s
            where s.project_id = l.project_id and s.kind = 'quota_refused' and s.occurred_at >= l.at and s.occurred_at < u.upgraded_at
        ))), count(*), count(*), null::numeric
    from (values
        ('E-CONV-01', 'upgrade_7d', interval '7 days'), ('E-CONV-02', 'upgrade_before_limit_7d', interval '7 days'),
        ('E-CONV-03', 'upgrade_24h', interval '24 hours'), ('E-CONV-04', 'upgrade_7d', interval '7 days'),
        ('E-CONV-05', 'upgrade_30d', interval '30 days')
    ) w (code, kpi, within)
    cross join lateral public.email_kpi_letters(array[w.code], since - w.within, until - w.within) l
    cross join lateral public.email_kpi_upgraded(l.project_id, l.user_id, l.at, l.at + w.within) u
    left join lateral (
        select s.payload ->> 'to' as plan from public.email_signals s
        where s.project_id = l.project_id and s.kind = 'plan_changed' and s.occurred_at < l.at
        order by s.occurred_at desc, s.id desc
        limit 1
    ) plan on true
    where coalesce(plan.plan, 'free') = 'free'
    group by w.code, w.kpi, l.held_out;

    -- Of those who clicked.
    return query
    select 'E-CONV-04', 'click_to_upgrade_7d', false,
        count(u.upgraded_at), count(*), count(*), null::numeric
    from public.email_kpi_letters(array['E-CONV-04'], since - interval '7 days', until - interval '7 days') l
    cross join lateral public.email_kpi_feedback(l.id, l.user_id, l.dedupe_key) f
    cross join lateral public.email_kpi_upgraded(l.project_id, l.user_id, l.at, l.at + interval '7 days') u
    where not l.held_out and f.clicked;

    -- Active within seven days of the letter (for a sequence: of its first).
    begin
        return query
        select r.email_type, case r.email_type when 'E-RET-01' then 'weekly_return' when 'E-RET-03' then 'return_14_to_21d' else 'win_back_7d' end, r.held_out,
            count(*) filter (where exists (
                select from public.email_activity(r.user_id, r.first_at, r.first_at + interval '7 days 1 microsecond')
            )), count(*), count(*), null::numeric
        from (
            select l.email_type, l.user_id, substring(l.dedupe_key from ':([0-9]{4}-[0-9]{2}-[0-9]{2})') as day, l.held_out, min(l.at) as first_at
            from public.email_kpi_letters(array['E-RET-01', 'E-RET-03', 'E-RET-04'], since - interval '22 days', until) l
            group by l.email_type, l.user_id, substring(l.dedupe_key from ':([0-9]{4}-[0-9]{2}-[0-9]{2})'), l.held_out,
                case when l.email_type = 'E-RET-01' then l.dedupe_key end
        ) r
        where r.first_at > since - interval '7 days' and r.first_at <= until - interval '7 days'
        and (r.day is null or not exists (
            select from public.email_activity(r.user_id, (public.email_day(r.day) + 1)::timestamptz, r.first_at)
        ))
        group by r.email_type, r.held_out;
    exception when undefined_column or undefined_table then null;
    end;

    -- Who leaves by the link instead of by a complaint.
    return query
    select 'E-RET-04', 'unsubscribe_rate', false,
        count(*) filter (where exists (
                select from public.email_events e where e.email_delivery_id = l.id and e.event_type = 'unsubscribed'
            ) or exists (
                select from public.email_preferences f
                where f.user_id = l.user_id and not f.marketing_opt_in and f.updated_at >= l.at and f.updated_at <= l.at + interval '7 days'
            )), count(*), count(*), null::numeric
    from public.email_kpi_letters(array['E-RET-04'], since, until) l
    where not l.held_out;

    -- More deployments in the seven days after the letter than in the seven before.
    begin
        return query
        select 'E-RET-02', 'reactivation_7d', l.held_out, count(*) filter (where d.after > d.before), count(*), count(*), null::numeric
        from public.email_kpi_letters(array['E-RET-02'], since - interval '7 days', until - interval '7 days') l
        cross join lateral (
            select count(*) filter (where d.started_at < l.at) as before, count(*) filter (where d.started_at >= l.at) as after
            from public.deployments d
            where d.project_id = l.project_id and d.started_at >= l.at - interval '7 days' and d.started_at <= l.at + interval '7 days'
        ) d
        group by l.held_out;
    exception when undefined_column or undefined_table then null;
    end;

    -- The invoices that were written about.
    return query
    select 'E-BILL-01', 'recovery_rate', false, count(*) filter (where i.paid), count(*), count(*), null::numeric
    from public.email_kpi_invoices(since, until) i
    where exists (
        select from public.email_deliveries d
        where d.status = 'sent' and d.dedupe_key = any(array(
            select unnest(public.email_step_keys('payment_failed:' || i.invoice_id || ':', t.params)) from public.email_types t where t.code = 'E-BILL-01'
        ))
    );

    -- Who answered the survey within seven days, and what.
    return query
    select 'E-ADV-01', 'response_rate', false, count(*) filter (where exists (
            select from public.email_signals s
            where s.user_id = l.user_id and s.kind = 'nps_answered' and s.occurred_at >= l.at and s.occurred_at <= l.at + interval '7 days'
        )), count(*), count(*), null::numeric
    from public.email_kpi_letters(array['E-ADV-01'], since - interval '7 days', until - interval '7 days') l
    where not l.held_out;

    return query
    select 'E-ADV-01', 'nps_score', false, count(*) filter (where a.score >= 9) - count(*) filter (where a.score <= 6), count(a.score), count(a.score), null::numeric
    from (
        select case when s.payload ->> 'score' ~ '^(10|[0-9])$' then (s.payload ->> 'score')::integer end as score
        from public.email_signals s
        where s.kind = 'nps_answered' and s.occurred_at > since and s.occurred_at <= until
    ) a;
end
$$;
comment on function public.email_type_kpi_counts(interval) is
'What email_type_kpis_over() puts together: per code and KPI, for recipients and for the holdout, how many reached the aim, of how many cases, and the median minutes for KPIs that are times.';
revoke all on function public.email_type_kpi_counts(interval) from public;

create or replace function public.email_type_kpis_over(over interval default '30 days')
returns table (
    code text, kpi text, unit text, value numeric, numerator bigint, denominator bigint, measured bigint,
    holdout_value numeric, holdout_numerator bigint, holdout_denominator bigint, lift numeric, lift_low numeric, lift_high numeric
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if over is null or over < interval '1 day' then
        raise exception 'a KPI is about one day at least, not about %', over using errcode = 'invalid_parameter_value';
    end if;
    return query
    with known (place, code, kpi, unit) as (values
        (1, 'E-TRX-01', 'project_created_24h', 'percent'),
        (2, 'E-TRX-02', 'invitation_accepted_7d', 'percent'),
        (3, 'E-SEC-01', 'reaction_time', 'minutes'),
        (4, 'E-SEC-02', 'reported_rate', 'percent'),
        (5, 'E-ACT-01', 'project_created_24h', 'percent'),
        (6, 'E-ACT-02', 'first_deployment_72h', 'percent'),
        (7, 'E-ACT-03', 'deployment_finished_7d', 'percent'),
        (8, 'E-ACT-04', 'open_rate', 'percent'),
        (9, 'E-ACT-04', 'click_rate', 'percent'),
        (10, 'E-ACT-05', 'mttr', 'minutes'),
        (11, 'E-ACT-05', 'time_to_first_useful_read', 'minutes'),
        (12, 'E-CONV-01', 'upgrade_7d', 'percent'),
        (13, 'E-CONV-02', 'upgrade_before_limit_7d', 'percent'),
        (14, 'E-CONV-03', 'upgrade_24h', 'percent'),
        (15, 'E-CONV-04', 'upgrade_7d', 'percent'),
        (16, 'E-CONV-04', 'click_to_upgrade_7d', 'percent'),
        (17, 'E-CONV-05', 'upgrade_30d', 'percent'),
        (18, 'E-RET-01', 'weekly_return', 'percent'),
        (19, 'E-RET-02', 'reactivation_7d', 'percent'),
        (20, 'E-RET-03', 'return_14_to_21d', 'percent'),
        (21, 'E-RET-04', 'win_back_7d', 'percent'),
        (22, 'E-RET-04', 'unsubscribe_rate', 'percent'),
        (23, 'E-BILL-01', 'recovery_rate', 'percent'),
        (24, 'E-BILL-02', 'billing_tickets', 'percent'),
        (25, 'E-ADV-01', 'nps_score', 'score'),
        (26, 'E-ADV-01', 'response_rate', 'percent'),
        (27, 'E-ADV-02', 'review_click_rate', 'percent')
    ),
    counts as materialized (
        select c.* from public.email_type_kpi_counts(over) c
    )
    select k.code, k.kpi, k.unit,
        case
            when coalesce(s.measured, 0) = 0 then null
            when k.unit = 'minutes' then s.minutes::numeric(12, 2)
            else public.email_percent(s.reached, s.cases)
        end,
        coalesce(s.reached, 0), coalesce(s.cases, 0), coalesce(s.measured, 0),
        public.email_percent(h.reached, h.cases), h.reached, h.cases, l.lift, l.low, l.high
    from known k
    left join counts s on s.code = k.code and s.kpi = k.kpi and not s.held_out
    left join counts h on h.code = k.code and h.kpi = k.kpi and h.held_out
    left join lateral public.email_lift(s.reached, s.cases, h.reached, h.cases) l on true
    order by k.place;
end
$$;
comment on function public.email_type_kpis_over(interval) is
'Each email''s own KPI over a period that ends now (30 days unless told, one day at least). See docs/kpis.md.';
revoke all on function public.email_type_kpis_over(interval) from public;

drop view if exists public.email_type_kpis;
create view public.email_type_kpis as
select k.code, k.kpi, k.unit, k.value, k.numerator, k.denominator, k.measured,
    k.holdout_value, k.holdout_numerator, k.holdout_denominator, k.lift, k.lift_low, k.lift_high
from public.email_type_kpis_over(interval '30 days') k;
comment on view public.email_type_kpis is
'Each email''s own KPI (docs/rules.md#letters) over 30 days, for those who got it and, where email_types.holdout_percent keeps some from it, for the holdout. A code that has two KPIs has two rows.';
comment on column public.email_type_kpis.code is 'A code of email_types.';
comment on column public.email_type_kpis.kpi is 'Its name; defined in docs/kpis.md.';
comment on column public.email_type_kpis.unit is 'percent; minutes (a median); score (NPS, -100 to 100).';
comment on column public.email_type_kpis.value is 'In that unit, two decimals; null when nothing could be measured, and for times when nobody got there.';
comment on column public.email_type_kpis.numerator is 'How many reached the aim; for the NPS promoters minus detractors.';
comment on column public.email_type_kpis.denominator is 'How many could have, those whose window is over.';
comment on column public.email_type_kpis.measured is 'How many of the denominator could be measured at all: for opens and clicks those who consented to tracking; 0 when there is no source.';
comment on column public.email_type_kpis.holdout_value is 'The same among those the holdout kept from getting it; null without a holdout.';
comment on column public.email_type_kpis.holdout_numerator is 'How many of them reached the aim all the same; null without a holdout.';
comment on column public.email_type_kpis.holdout_denominator is 'How many they are; null without a holdout.';
comment on column public.email_type_kpis.lift is 'value minus holdout_value, in percentage points: what the letter changed; null without a holdout.';
comment on column public.email_type_kpis.lift_low is 'Lower end of lift''s 95 % confidence interval. Below 0 with lift_high above 0: nothing is proven.';
comment on column public.email_type_kpis.lift_high is 'Upper end of it.';

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_reader', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_type_kpis_over(interval)'),
    ('select on public.email_type_kpis')
) g (privileges);
