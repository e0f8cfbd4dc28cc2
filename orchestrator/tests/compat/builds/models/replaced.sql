{{ config(materialized='incremental', unique_key='id') }}
select id, {{ var('upto') }} as upto from {{ ref('few') }}
{% if is_incremental() %} where id >= 3 {% endif %}
