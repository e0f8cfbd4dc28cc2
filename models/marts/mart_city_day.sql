{#-
  Rebuilds only the city-days that new facts touch; delete+insert replaces them whole.
  Not partitioned: a row for each city and day stays small for decades.
-#}
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['city_id', 'date'],
    indexes=[{'columns': ['city_id', 'date'], 'unique': true}, {'columns': ['date']}],
    tags=['mart'],
) }}

{{ keep_history([ref('fct_rides'), ref('fct_fare_adjustments'), ref('fct_driver_status_intervals')]) }}

{{ city_activity(
    mart=this,
    unit='day',
    day='date',
    mart_period='date::timestamp',
    key='periods.period::date as date',
) }}
