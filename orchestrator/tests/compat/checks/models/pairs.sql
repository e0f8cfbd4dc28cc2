{{ config(materialized='table') }}
select a.id, b.label from {{ ref('numbers') }} a join {{ source('raw', 'numbers') }} b on a.id = b.id + 1
