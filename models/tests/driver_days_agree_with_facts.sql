-- Pay of each driver-day, and seconds at work of each driver, as the mart has them and as the
-- facts add up to. (Seconds are compared per driver: an interval may lie on several days.)
-- Days that have left the facts are final and not compared. Nor are seconds before all of a driver's
-- work is here: what has left of it, in some vehicle, ended where the first interval begins that has not.
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

whole as (
    select {{ first_whole_period() }} as first_period
),

facts_begin as (
    select
        driver_id,
        case
            when first_period = '-infinity' then first_period
            else greatest(first_period, date_trunc('day', max(begins_at) at time zone 'UTC') + interval '1 day')
        end as period
    from (
        select driver_id, vehicle_id, min(started_at) as begins_at
        from {{ ref('fct_driver_status_intervals') }}
        group by driver_id, vehicle_id
    ) as vehicles
    cross join whole
    group by driver_id, first_period
),

pieces as (
    select
        intervals.driver_id,
        extract(epoch from
            intervals.ended_at at time zone 'UTC'
            - greatest(intervals.started_at at time zone 'UTC', facts_begin.period)
        )::numeric(14, 3) as seconds
    from {{ ref('fct_driver_status_intervals') }} as intervals
    inner join facts_begin on facts_begin.driver_id = intervals.driver_id
    where {{ at_work('intervals.status') }}
        and intervals.ended_at at time zone 'UTC' > facts_begin.period
),

work as (
    select driver_id, sum(seconds) as seconds
    from pieces
    group by driver_id
),

worked as (
    select mart.driver_id, sum(mart.online_seconds) as seconds
    from {{ ref('mart_driver_day') }} as mart
    inner join facts_begin on facts_begin.driver_id = mart.driver_id
    where mart.date >= facts_begin.period
    group by mart.driver_id
)

select pay.driver_id, pay.date
from pay
left join {{ ref('mart_driver_day') }} as mart
    on mart.driver_id = pay.driver_id
    and mart.date = pay.date
where pay.date >= (select first_period from whole)
    and (
        mart.driver_id is null
        or mart.rides_assigned <> pay.rides_assigned
        or mart.driver_pay_cents <> pay.driver_pay_cents
    )

union all

select work.driver_id, null
from work
left join worked on worked.driver_id = work.driver_id
where work.seconds is distinct from worked.seconds
