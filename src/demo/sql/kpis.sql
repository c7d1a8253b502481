-- The KPIs of the demo's thirteen days.
select k.kpi, k.value::text, k.numerator, k.denominator, k.measured from public.email_kpis k
