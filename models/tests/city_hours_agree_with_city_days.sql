-- The hours of a city-day add up to the day.
with hours as (
    select
        city_id,
        date,
        sum(rides_requested) as rides_requested,
        sum(rides_completed) as rides_completed,
        sum(gross_fare_cents) as gross_fare_cents,
        sum(driver_pay_cents) as driver_pay_cents,
        sum(adjustment_cents) as adjustment_cents,
        sum(online_seconds) as online_seconds,
        sum(busy_seconds) as busy_seconds
    from {{ ref('mart_city_hour') }}
    group by city_id, date
)

select coalesce(days.city_id, hours.city_id) as city_id, coalesce(days.date, hours.date) as date
from {{ ref('mart_city_day') }} as days
full join hours
    on hours.city_id = days.city_id
    and hours.date = days.date
where (days.rides_requested, days.rides_completed, days.gross_fare_cents, days.driver_pay_cents, days.adjustment_cents, days.online_seconds, days.busy_seconds)
    is distinct from
    (hours.rides_requested, hours.rides_completed, hours.gross_fare_cents, hours.driver_pay_cents, hours.adjustment_cents, hours.online_seconds, hours.busy_seconds)
