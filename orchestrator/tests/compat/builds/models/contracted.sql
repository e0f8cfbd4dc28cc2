{{ config(materialized='table') }}
select id, word::varchar(10) as word, null::numeric(10,2) as amount from {{ ref('base') }} where word is not null
