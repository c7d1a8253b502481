select coalesce(array_agg(t.name), '{}')
from unnest($1::text[]) as t (name)
where to_regclass('public.' || t.name) is not null
