{{ config(materialized='ephemeral') }}
-- a comment with {{ ref('few') }}
with few as (select * from {{ ref('few') }}) select id, word from few where id > 1
