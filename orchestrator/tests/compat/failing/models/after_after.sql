{{ config(materialized='table') }}
select * from {{ ref('after_bad') }}
