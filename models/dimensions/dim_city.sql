{{ config(
    materialized='table',
    indexes=[{'columns': ['city_id'], 'unique': true}],
    tags=['dimension'],
) }}

select
    city_id,
    city_name,
    country,
    country_code,
    currency,
    time_zone,
    latitude,
    longitude
from {{ ref('cities') }}
