-- Milestones follow each other; those not reached are left out of the comparison.
select *
from {{ ref('fct_rides') }}
where first_offered_at < requested_at
    or assigned_at < coalesce(first_offered_at, requested_at)
    or en_route_at < coalesce(assigned_at, requested_at)
    or arrived_at < coalesce(en_route_at, assigned_at, requested_at)
    or started_at < coalesce(arrived_at, en_route_at, assigned_at, requested_at)
    or completed_at < coalesce(started_at, arrived_at, en_route_at, assigned_at, requested_at)
    or last_event_at < greatest(completed_at, cancelled_by_rider_at, cancelled_by_driver_at, no_driver_found_at)
