{{ config(materialized='ephemeral') }}
select * from {{ ref('base') }} where id <= {{ var('upto') }}
