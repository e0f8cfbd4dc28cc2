{{ config(materialized='table', alias='much_later', full_refresh=false) }}
select count(*) as n from {{ ref('appended') }}, {{ ref('plain') }}
