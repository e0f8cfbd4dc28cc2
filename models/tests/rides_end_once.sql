-- A ride has at most one end.
select *
from {{ ref('fct_rides') }}
where num_nonnulls(completed_at, cancelled_by_rider_at, cancelled_by_driver_at, no_driver_found_at) > 1
