{{ config(group='finance') }}
select count(*) from {{ ref('wide') }}
