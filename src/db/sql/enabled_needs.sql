-- What the enabled types ask of the configuration (docs/rules.md#settings).
select
    array_agg(t.code order by t.code) filter (where t.category in ('product', 'marketing')) as postal_address,
    bool_or(t.code = 'E-ADV-02') as review_url
from public.email_types t
where t.enabled
