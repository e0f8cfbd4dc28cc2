{{ config(materialized='incremental', on_schema_change='sync_all_columns', unique_key='id') }}
select id, {% if var('upto') > 3 %} id::text as now_text {% else %} word {% endif %} from {{ ref('few') }}
