select a.*, n.name as other from {{ ref('stg_a') }} a left join {{ ref('nothing') }} n on a.id = n.id
