{{ config(materialized='materialized_view', indexes=[{'columns': ['id'], 'unique': true}]) }}
select id from {{ ref('base') }}
