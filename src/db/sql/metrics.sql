select m.name, coalesce(m.email_type, '') as email_type, coalesce(m.status, '') as status, coalesce(m.reason_class, '') as reason_class, m.value
from public.email_metrics m
