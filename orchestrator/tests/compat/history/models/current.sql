select id, word from {{ ref('by_check') }} where dbt_valid_to is null
