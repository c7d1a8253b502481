-- The KPIs that the demo leaves behind.
select k.kpi, k.value::text, k.numerator, k.denominator, k.measured from public.email_kpis k
