{#- What happened in each city in each period: the body of mart_city_day and mart_city_hour, which
    so cannot disagree. `key` is the SQL of the mart's period column. -#}
{% macro city_activity(mart, unit, day, mart_period, key) -%}
with

{{ periods_to_build(mart, 'city_id', unit, day, mart_period) }},

rides as (
    select
        counted.entity,
        counted.period,
        count(*)::int as rides_requested,
        count(*) filter (where status = 'ride_completed')::int as rides_completed,
        count(*) filter (where status = 'cancelled_by_rider')::int as rides_cancelled_by_rider,
        count(*) filter (where status = 'cancelled_by_driver')::int as rides_cancelled_by_driver,
        count(*) filter (where status = 'no_driver_found')::int as rides_without_driver,
        count(*) filter (where not is_final)::int as rides_open,
        sum(offers)::int as offers,
        sum(declines)::int as declines,
        percentile_disc(0.5) within group (order by wait_seconds) as wait_p50_seconds,
        percentile_disc(0.95) within group (order by wait_seconds) as wait_p95_seconds,
        round(avg(surge_multiplier), 3) as average_surge,
        sum(distance_m) as distance_m,
        sum(total_cents)::bigint as gross_fare_cents,
        sum(tip_cents)::bigint as tip_cents,
        sum(taxes_cents)::bigint as taxes_cents,
        sum(discount_cents)::bigint as discount_cents,
        sum(driver_pay_cents)::bigint as driver_pay_cents,
        sum(cancellation_fee_cents)::bigint as cancellation_fee_cents,
        {{ batches_seen('last_landing_batch') }} as ride_batches
    from {{ ref('fct_rides') }} as rides
    inner join counted
        on counted.entity = rides.city_id
        and counted.period = {{ period_of('rides.requested_at', unit) }}
    where true
        {{- within_periods('rides.requested_at', unit) }}
    group by counted.entity, counted.period
),

adjustments as (
    select
        counted.entity,
        counted.period,
        count(*)::int as adjustments,
        sum(adjustment_cents)::bigint as adjustment_cents,
        sum(driver_pay_adjustment_cents)::bigint as driver_pay_adjustment_cents,
        {{ batches_seen('landing_batch') }} as adjustment_batches
    from {{ ref('fct_fare_adjustments') }} as adjustments
    inner join counted
        on counted.entity = adjustments.city_id
        and counted.period = {{ period_of('adjustments.event_time', unit) }}
    where true
        {{- within_periods('adjustments.event_time', unit) }}
    group by counted.entity, counted.period
),

{{ shifts(ref('fct_driver_status_intervals'), 'city_id', unit) }}

select
    periods.entity as city_id,
    {{ key }},
    cities.currency,

    coalesce(rides.rides_requested, 0) as rides_requested,
    coalesce(rides.rides_completed, 0) as rides_completed,
    coalesce(rides.rides_cancelled_by_rider, 0) as rides_cancelled_by_rider,
    coalesce(rides.rides_cancelled_by_driver, 0) as rides_cancelled_by_driver,
    coalesce(rides.rides_without_driver, 0) as rides_without_driver,
    coalesce(rides.rides_open, 0) as rides_open,
    round(rides.rides_completed::numeric / rides.rides_requested, 4) as completion_rate,
    coalesce(rides.offers, 0) as offers,
    coalesce(rides.declines, 0) as declines,
    rides.wait_p50_seconds,
    rides.wait_p95_seconds,
    rides.average_surge,
    coalesce(rides.distance_m, 0) as distance_m,

    coalesce(rides.gross_fare_cents, 0) as gross_fare_cents,
    coalesce(rides.tip_cents, 0) as tip_cents,
    coalesce(rides.taxes_cents, 0) as taxes_cents,
    coalesce(rides.discount_cents, 0) as discount_cents,
    coalesce(rides.driver_pay_cents, 0) as driver_pay_cents,
    coalesce(rides.cancellation_fee_cents, 0) as cancellation_fee_cents,
    coalesce(adjustments.adjustments, 0) as adjustments,
    coalesce(adjustments.adjustment_cents, 0) as adjustment_cents,
    coalesce(adjustments.driver_pay_adjustment_cents, 0) as driver_pay_adjustment_cents,

    coalesce(shifts.drivers_online, 0) as drivers_online,
    coalesce(shifts.online_seconds, 0) as online_seconds,
    coalesce(shifts.busy_seconds, 0) as busy_seconds,
    coalesce(shifts.on_trip_seconds, 0) as on_trip_seconds,
    round(coalesce(shifts.online_seconds, 0) / 3600, 4) as online_hours,
    round(shifts.busy_seconds / nullif(shifts.online_seconds, 0), 4) as utilisation,
    round(rides.rides_completed * 3600 / nullif(shifts.online_seconds, 0), 4) as rides_per_online_hour,

    rides.ride_batches,
    adjustments.adjustment_batches,
    shifts.interval_batches
from periods
left join {{ ref('dim_city') }} as cities on cities.city_id = periods.entity
left join rides on rides.entity = periods.entity and rides.period = periods.period
left join adjustments on adjustments.entity = periods.entity and adjustments.period = periods.period
left join shifts on shifts.entity = periods.entity and shifts.period = periods.period
{%- endmacro %}
