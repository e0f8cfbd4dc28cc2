-- A driver is never at work twice at a time, in whatever vehicle.
select *
from (
    select
        *,
        max(ended_at) over (
            partition by driver_id
            order by started_at, ended_at
            rows between unbounded preceding and 1 preceding
        ) as busy_until
    from {{ ref('fct_driver_status_intervals') }}
    where {{ at_work('status') }}
        and ended_at > started_at
) as intervals
where started_at < busy_until
