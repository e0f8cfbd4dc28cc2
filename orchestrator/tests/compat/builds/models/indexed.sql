{{ config(materialized='table', unlogged=true, indexes=[{'columns': ['id', 'word']}, {'columns': ['word'], 'type': 'hash'}], tags='idx') }}
select id, word from {{ ref('base') }}
