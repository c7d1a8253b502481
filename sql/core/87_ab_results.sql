-- How the subjects of email_subject_variants did.

create or replace function public.email_ab_results_over(over interval default '90 days')
returns table (
    email_type text, variant text, sent bigint, measured bigint, clicks bigint, opens bigint,
    rate numeric, rate_low numeric, rate_high numeric, open_rate numeric, open_rate_low numeric, open_rate_high numeric
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $$
#variable_conflict use_column
declare
    until timestamptz := public.email_now();
begin
    if over is null or over < interval '1 day' then
        raise exception 'results are about one day at least, not about %', over using errcode = 'invalid_parameter_value';
    end if;
    return query
    select r.email_type, r.variant, r.sent, r.measured, r.clicks, r.opens,
        public.email_percent(r.clicks, r.sent), round(c.low, 2), round(c.high, 2),
        public.email_percent(r.opens, r.measured), round(o.low, 2), round(o.high, 2)
    from (
        select d.email_type::text, d.variant, count(*) as sent,
            count(*) filter (where f.tracked) as measured, count(*) filter (where f.clicked) as clicks, count(*) filter (where f.opened) as opens
        from public.email_deliveries d
        cross join lateral public.email_kpi_feedback(d.id, d.user_id, d.dedupe_key) f
        where d.email_type = any(array(select distinct v.email_type from public.email_subject_variants v))
        and d.created_at > until - over - interval '14 days'
        and d.status = 'sent' and d.sent_at > until - over and d.sent_at <= until
        group by d.email_type, d.variant
    ) r
    left join lateral public.email_wilson(r.clicks, r.sent) c on true
    left join lateral public.email_wilson(r.opens, r.measured) o on true
    order by r.email_type, r.variant nulls first;
end
$$;
comment on function public.email_ab_results_over(interval) is
'How the subjects of email_subject_variants did over a period that ends now (90 days unless told, one day at least).';
revoke all on function public.email_ab_results_over(interval) from public;

drop view if exists public.email_ab_results;
create view public.email_ab_results as
select r.email_type, r.variant, r.sent, r.measured, r.clicks, r.opens,
    r.rate, r.rate_low, r.rate_high, r.open_rate, r.open_rate_low, r.open_rate_high
from public.email_ab_results_over(interval '90 days') r;
comment on view public.email_ab_results is
'Types that have subject variants: how each subject did in 90 days. Two intervals that overlap prove nothing yet.';
comment on column public.email_ab_results.email_type is 'A code of email_types.';
comment on column public.email_ab_results.variant is 'As in email_subject_variants; null is the letter''s own subject.';
comment on column public.email_ab_results.sent is 'Letters sent with it.';
comment on column public.email_ab_results.measured is 'How many of them went to users who consented to tracking: only their opens and clicks are known.';
comment on column public.email_ab_results.clicks is 'Letters with a click, a mail client''s prefetching aside.';
comment on column public.email_ab_results.opens is 'Letters opened, a mail client''s prefetching aside.';
comment on column public.email_ab_results.rate is 'clicks of sent, in percent.';
comment on column public.email_ab_results.rate_low is 'Lower end of rate''s 95 % confidence interval (Wilson).';
comment on column public.email_ab_results.rate_high is 'Upper end of it.';
comment on column public.email_ab_results.open_rate is 'opens of measured, in percent; null when nobody consented.';
comment on column public.email_ab_results.open_rate_low is 'Lower end of open_rate''s 95 % confidence interval (Wilson).';
comment on column public.email_ab_results.open_rate_high is 'Upper end of it.';

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_reader', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_ab_results_over(interval)'),
    ('select on public.email_ab_results')
) g (privileges);
