{{ config(materialized='incremental', incremental_strategy='merge', unique_key='id', merge_exclude_columns=['word'],
          incremental_predicates=['DBT_INTERNAL_DEST.id > 1']) }}
select id, word || {{ var('upto') }} as word, {{ var('upto') }} as upto from {{ ref('few') }}
