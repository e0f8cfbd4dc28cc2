{{ config(materialized='incremental', incremental_strategy='merge', unique_key=['id', 'day'], merge_update_columns=['upto']) }}
select id, day, word, {{ var('upto') }} as upto from {{ ref('few') }}
