{{ config(materialized='table', persist_docs={'relation': true, 'columns': true}) }}
select id, day from {{ source('raw', 'new') }}
