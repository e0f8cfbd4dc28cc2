{#- As mart_city_day, by UTC hour. -#}
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['city_id', 'hour_starts_at'],
    indexes=[{'columns': ['city_id', 'hour_starts_at'], 'unique': true}, {'columns': ['date']}],
    tags=['mart'],
) }}

{{ keep_history([ref('fct_rides'), ref('fct_fare_adjustments'), ref('fct_driver_status_intervals')]) }}

{{ city_activity(
    mart=this,
    unit='hour',
    day='date',
    mart_period="hour_starts_at at time zone 'UTC'",
    key="periods.period at time zone 'UTC' as hour_starts_at, periods.period::date as date",
) }}
