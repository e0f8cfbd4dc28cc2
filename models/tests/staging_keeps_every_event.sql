-- Every landed event, up to the batch that staging has reached, is staged, unless its day has left
-- staging.
{%- for topic in ['ride_events', 'user_events', 'vehicle_events'] %}
select '{{ topic }}' as topic, landed.event_id, landed.event_time
from {{ source('raw', topic) }} as landed
inner join (
    select kafka_partition, max(landing_batch) as last_batch
    from {{ ref('stg_' ~ topic) }}
    group by kafka_partition
) as reached
    on reached.kafka_partition = landed.kafka_partition
    and reached.last_batch >= landed.landing_batch
where landed.event_time >= {{ archive_boundary([ref('stg_' ~ topic)]) }}
    and not exists (
        select 1
        from {{ ref('stg_' ~ topic) }} as staged
        where staged.event_id = landed.event_id
            and staged.event_time = landed.event_time
    )
{%- if not loop.last %}

union all
{% endif %}
{%- endfor %}
