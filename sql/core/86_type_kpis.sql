-- Each email's own KPI, as the specification names it (docs/rules.md#letters), and what the email itself changed where a holdout is set.

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
        (4, 'E-SEC-02', 'confirmed_rate', 'percent'),
        (5, 'E-SEC-02', 'reported_rate', 'percent'),
        (6, 'E-ACT-01', 'project_created_24h', 'percent'),
        (7, 'E-ACT-02', 'first_deployment_72h', 'percent'),
        (8, 'E-ACT-03', 'deployment_finished_7d', 'percent'),
        (9, 'E-ACT-04', 'open_rate', 'percent'),
        (10, 'E-ACT-04', 'click_rate', 'percent'),
        (11, 'E-ACT-05', 'mttr', 'minutes'),
        (12, 'E-ACT-05', 'time_to_first_useful_read', 'minutes'),
        (13, 'E-CONV-01', 'upgrade_7d', 'percent'),
        (14, 'E-CONV-02', 'upgrade_before_limit_7d', 'percent'),
        (15, 'E-CONV-03', 'upgrade_24h', 'percent'),
        (16, 'E-CONV-04', 'upgrade_7d', 'percent'),
        (17, 'E-CONV-04', 'click_to_upgrade_7d', 'percent'),
        (18, 'E-CONV-05', 'upgrade_30d', 'percent'),
        (19, 'E-RET-01', 'weekly_return', 'percent'),
        (20, 'E-RET-02', 'reactivation_7d', 'percent'),
        (21, 'E-RET-03', 'return_14_to_21d', 'percent'),
        (22, 'E-RET-04', 'win_back_7d', 'percent'),
        (23, 'E-RET-04', 'unsubscribe_rate', 'percent'),
        (24, 'E-BILL-01', 'recovery_rate', 'percent'),
        (25, 'E-BILL-02', 'billing_tickets', 'percent'),
        (26, 'E-ADV-01', 'nps_score', 'score'),
        (27, 'E-ADV-01', 'response_rate', 'percent'),
        (28, 'E-ADV-02', 'review_click_rate', 'percent')
    ),
    counts as materialized (
        select c.* from public.email_type_kpi_counts(over) c
    )
    select k.code, k.kpi, k.unit,
        case
            when coalesce(s.measured, 0) = 0 then null
            when k.unit = 'minutes' then s.minutes::numeric(12, 2)
            else public.email_percent(s.reached, s.measured)
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
comment on column public.email_type_kpis.value is 'In that unit, two decimals; null when nothing could be measured, and for times when no case got there.';
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
