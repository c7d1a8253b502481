-- What sets the demo's clock to a time of day in Paris, so many days after the first one. $1 first day, $2 days, $3 time.
select
    format('alter database %I set email.clock_offset = %L', current_database(), o.seconds || ' seconds'),
    format('set email.clock_offset = %L', o.seconds || ' seconds'),
    (array['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'])[extract(isodow from o.day)::integer] || to_char(o.day, ' DD Mon')
from (
    select m.day, round(extract(epoch from m.moment - now()))::bigint as seconds
    from (
        select d.day, (d.day + $3::text::time) at time zone 'Europe/Paris' as moment
        from (select $1::text::date + $2::integer as day) d
    ) m
) o
