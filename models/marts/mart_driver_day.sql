{#-
  As mart_city_day, by driver. What a driver is called and where, is in dim_driver: a sign-up may
  come late, and must not leave a row here that a full rebuild would not.
-#}
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['driver_id', 'date'],
    indexes=[{'columns': ['driver_id', 'date'], 'unique': true}, {'columns': ['date']}],
    tags=['mart'],
) }}

{{ keep_history([ref('fct_rides'), ref('fct_fare_adjustments'), ref('fct_driver_status_intervals')]) }}

with

{{ periods_to_build(this, 'driver_id', 'day', 'date', 'date::timestamp') }},

rides as (
    select
        counted.entity,
        counted.period,
        count(*)::int as rides_assigned,
        count(*) filter (where status = 'ride_completed')::int as rides_completed,
        count(*) filter (where status = 'cancelled_by_rider')::int as rides_cancelled_by_rider,
        count(*) filter (where status = 'cancelled_by_driver')::int as rides_cancelled_by_driver,
        sum(distance_m) as distance_m,
        sum(total_cents)::bigint as gross_fare_cents,
        sum(tip_cents)::bigint as tip_cents,
        sum(driver_pay_cents)::bigint as driver_pay_cents,
        {{ batches_seen('last_landing_batch') }} as ride_batches
    from {{ ref('fct_rides') }} as rides
    inner join counted
        on counted.entity = rides.driver_id
        and counted.period = {{ period_of('rides.requested_at', 'day') }}
    where true
        {{- within_periods('rides.requested_at', 'day') }}
    group by counted.entity, counted.period
),

adjustments as (
    select
        counted.entity,
        counted.period,
        count(*)::int as adjustments,
        sum(driver_pay_adjustment_cents)::bigint as driver_pay_adjustment_cents,
        {{ batches_seen('landing_batch') }} as adjustment_batches
    from {{ ref('fct_fare_adjustments') }} as adjustments
    inner join counted
        on counted.entity = adjustments.driver_id
        and counted.period = {{ period_of('adjustments.event_time', 'day') }}
    where true
        {{- within_periods('adjustments.event_time', 'day') }}
    group by counted.entity, counted.period
),

{{ shifts(ref('fct_driver_status_intervals'), 'driver_id', 'day') }}

select
    periods.entity as driver_id,
    periods.period::date as date,

    coalesce(rides.rides_assigned, 0) as rides_assigned,
    coalesce(rides.rides_completed, 0) as rides_completed,
    coalesce(rides.rides_cancelled_by_rider, 0) as rides_cancelled_by_rider,
    coalesce(rides.rides_cancelled_by_driver, 0) as rides_cancelled_by_driver,
    coalesce(rides.distance_m, 0) as distance_m,

    coalesce(rides.gross_fare_cents, 0) as gross_fare_cents,
    coalesce(rides.tip_cents, 0) as tip_cents,
    coalesce(rides.driver_pay_cents, 0) as driver_pay_cents,
    coalesce(adjustments.adjustments, 0) as adjustments,
    coalesce(adjustments.driver_pay_adjustment_cents, 0) as driver_pay_adjustment_cents,

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
left join rides on rides.entity = periods.entity and rides.period = periods.period
left join adjustments on adjustments.entity = periods.entity and adjustments.period = periods.period
left join shifts on shifts.entity = periods.entity and shifts.period = periods.period
