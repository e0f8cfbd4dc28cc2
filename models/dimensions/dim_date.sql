{{ config(
    materialized='table',
    indexes=[{'columns': ['date'], 'unique': true}],
    tags=['dimension'],
) }}

with days as (
    select day::date as date
    from generate_series(
        timestamp '{{ var("date_start") }}',
        timestamp '{{ var("date_end") }}',
        interval '1 day'
    ) as day
)

select
    date,
    extract(year from date)::int as year,
    extract(quarter from date)::int as quarter,
    extract(month from date)::int as month,
    extract(day from date)::int as day_of_month,
    extract(isoyear from date)::int as iso_year,
    extract(week from date)::int as iso_week,
    extract(isodow from date)::int as iso_day_of_week,
    -- names by number: to_char would follow the locale of the server
    (array['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'])[extract(isodow from date)::int] as day_name,
    extract(isodow from date) in (6, 7) as is_weekend,
    date_trunc('week', date::timestamp)::date as week_starts_on,
    date_trunc('month', date::timestamp)::date as month_starts_on
from days
