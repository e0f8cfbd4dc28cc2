{{ config(severity='warn') }}

-- fct_rides reads events up to `ride_hours` after the request; one outside would be left out.
select *
from {{ ref('stg_ride_events') }}
where event_type <> 'fare_adjusted'
    and (
        event_time < requested_at
        or event_time >= requested_at + interval '{{ var("ride_hours") }} hours'
    )
