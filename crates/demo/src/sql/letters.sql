-- What became of letters by their dedupe keys, as LIKE patterns ($1 text[]): place in $1, journal id, status, reason.
select
    p.place::integer,
    d.id,
    coalesce(d.status::text, o.status),
    coalesce(d.error_message, d.payload_json ->> 'reason', o.last_error, o.reason)
from unnest($1::text[]) with ordinality as p (pattern, place)
cross join lateral (
    select j.id, j.dedupe_key, j.status, j.error_message, j.payload_json from public.email_deliveries j
    where j.dedupe_key like p.pattern
    union all
    select null, o.dedupe_key, null, null, null from public.email_outbox o
    where o.dedupe_key like p.pattern
    and not exists (select from public.email_deliveries j where j.dedupe_key = o.dedupe_key)
) d
left join public.email_outbox o on o.dedupe_key = d.dedupe_key
