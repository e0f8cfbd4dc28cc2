-- The total of a completed ride is its components less the discount, to the cent, and every
-- amount of it is there.
select *
from {{ ref('fct_rides') }}
where completed_at is not null
    and total_cents is distinct from
        base_cents + distance_cents + time_cents + surge_cents + tolls_cents + taxes_cents + fees_cents
        - discount_cents + tip_cents
