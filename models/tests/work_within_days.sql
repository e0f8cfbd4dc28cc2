{{ config(severity='warn') }}

-- Marts take it that work which began `interval_days` before a day has ended by then: once the
-- interval has left for the archive, a day that it reaches into would be computed without it.
select *
from {{ ref('fct_driver_status_intervals') }}
where {{ at_work('status') }}
    and ended_at >= started_at + interval '{{ var("interval_days") }} days'
