-- The day the story begins: thirteen days before a month that begins on a Tuesday, so that no Monday is in the way of the
-- monthly report, and not in the past.
select to_char(m.first - 13, 'YYYY-MM-DD')
from (
    select (date_trunc('month', now()) + n * interval '1 month')::date as first
    from generate_series(1, 24) n
) m
where extract(isodow from m.first) = 2 and m.first - 13 > current_date
order by m.first
limit 1
