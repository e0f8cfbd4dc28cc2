-- Counts, cents and seconds of each city-day, as the mart has them and as the facts add up to.
-- Days that have left the facts are final and not compared.
with

facts as (
    select
        city_id,
        date_trunc('day', requested_at at time zone 'UTC')::date as date,
        count(*) as rides_requested,
        count(completed_at) as rides_completed,
        coalesce(sum(total_cents), 0) as gross_fare_cents,
        coalesce(sum(tip_cents), 0) as tip_cents,
        coalesce(sum(driver_pay_cents), 0) as driver_pay_cents,
        0 as adjustment_cents
    from {{ ref('fct_rides') }}
    group by 1, 2

    union all

    select
        city_id,
        date_trunc('day', event_time at time zone 'UTC')::date,
        0, 0, 0, 0, 0,
        sum(adjustment_cents)
    from {{ ref('fct_fare_adjustments') }}
    group by 1, 2
),

expected as (
    select
        city_id,
        date,
        sum(rides_requested) as rides_requested,
        sum(rides_completed) as rides_completed,
        sum(gross_fare_cents) as gross_fare_cents,
        sum(tip_cents) as tip_cents,
        sum(driver_pay_cents) as driver_pay_cents,
        sum(adjustment_cents) as adjustment_cents
    from facts
    group by city_id, date
)

select expected.*
from expected
left join {{ ref('mart_city_day') }} as mart
    on mart.city_id = expected.city_id
    and mart.date = expected.date
where expected.date >= {{ first_whole_period() }}
    and (
        mart.city_id is null
        or mart.rides_requested <> expected.rides_requested
        or mart.rides_completed <> expected.rides_completed
        or mart.gross_fare_cents <> expected.gross_fare_cents
        or mart.tip_cents <> expected.tip_cents
        or mart.driver_pay_cents <> expected.driver_pay_cents
        or mart.adjustment_cents <> expected.adjustment_cents
    )
