-- The intervals of a driver in a vehicle join up: each ends where the next begins, and only the
-- last is open. So they neither overlap nor leave gaps.
select *
from (
    select
        *,
        lead(started_at) over (
            partition by driver_id, vehicle_id
            order by started_at, ended_at nulls last, event_id
        ) as next_started_at
    from {{ ref('fct_driver_status_intervals') }}
) as intervals
where ended_at is distinct from next_started_at
