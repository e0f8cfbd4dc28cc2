{{ config(schema='marts') }} select * from {{ ref('given') }} join {{ source('raw', 'tbl') }} using (id)
