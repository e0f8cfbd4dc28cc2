{{ config(materialized='incremental', incremental_strategy='append') }}
select id, word from {{ ref('few') }}
{% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}
