{{ config(materialized='incremental', unique_key='day') }}
select day, sum(amount) as total, {{ factor() }} as factor, '{{ var("label", "none") }}' as label
from {{ ref('amounts') }}
{% if is_incremental() %} where day > (select max(day) from {{ this }}) {% endif %}
group by 1
