-- Pay of each driver-day, and seconds at work of each driver, as the mart has them and as the
-- facts add up to. (Seconds are compared per driver: an interval may lie on several days.)
-- Drivers and days that have left the facts are not compared.
with

pay as (
    select
        driver_id,
        date_trunc('day', requested_at at time zone 'UTC')::date as date,
        count(*) as rides_assigned,
        coalesce(sum(driver_pay_cents), 0) as driver_pay_cents
    from {{ ref('fct_rides') }}
    where driver_id is not null
    group by 1, 2
),

facts_begin as (
    select date_trunc('day', min(started_at) at time zone 'UTC')::date + 2 as date
    from {{ ref('fct_driver_status_intervals') }}
),

pieces as (
    select
        intervals.driver_id,
        extract(epoch from intervals.ended_at - greatest(intervals.started_at, facts_begin.date::timestamp at time zone 'UTC'))::numeric(14, 3) as seconds
    from {{ ref('fct_driver_status_intervals') }} as intervals
    cross join facts_begin
    where {{ at_work('intervals.status') }}
        and intervals.ended_at > facts_begin.date::timestamp at time zone 'UTC'
),

work as (
    select driver_id, sum(seconds) as seconds
    from pieces
    group by driver_id
),

worked as (
    select mart.driver_id, sum(mart.online_seconds) as seconds
    from {{ ref('mart_driver_day') }} as mart
    cross join facts_begin
    where mart.date >= facts_begin.date
    group by mart.driver_id
)

select pay.driver_id, pay.date
from pay
left join {{ ref('mart_driver_day') }} as mart
    on mart.driver_id = pay.driver_id
    and mart.date = pay.date
where mart.driver_id is null
    or mart.rides_assigned <> pay.rides_assigned
    or mart.driver_pay_cents <> pay.driver_pay_cents

union all

select work.driver_id, null
from work
left join worked on worked.driver_id = work.driver_id
where work.seconds is distinct from worked.seconds
