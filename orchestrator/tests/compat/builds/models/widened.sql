{{ config(materialized='incremental', on_schema_change='append_new_columns') }}
select id {% if var('upto') > 3 %}, word as further {% endif %} from {{ ref('few') }}
{% if is_incremental() %} where id > 3 {% endif %}
