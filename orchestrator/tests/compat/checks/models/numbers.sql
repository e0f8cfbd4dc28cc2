select id, label, parity, amount from {{ ref('numbers_seed') }}
