{{ config(severity='warn', tags=['slow']) }}
select * from {{ ref('numbers') }} where id % 2 = 1
