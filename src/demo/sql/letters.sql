-- What the journal says about these dedupe keys ($1 text[]).
select
    d.dedupe_key::text,
    d.id,
    d.status::text,
    coalesce(d.error_message, d.payload_json ->> 'reason')
from public.email_deliveries d
where d.dedupe_key = any ($1)
