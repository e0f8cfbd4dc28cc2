-- Incremental runs take the Kafka partitions from raw.landing_progress: one missing there would
-- be left out.
{%- for topic in ['ride_events', 'user_events', 'vehicle_events'] %}
select distinct '{{ topic }}' as topic, landed.kafka_partition
from {{ source('raw', topic) }} as landed
where landed.kafka_partition not in (
    select kafka_partition from {{ source('raw', 'landing_progress') }} where topic = '{{ topic }}'
)
{%- if not loop.last %}

union all
{% endif %}
{%- endfor %}
