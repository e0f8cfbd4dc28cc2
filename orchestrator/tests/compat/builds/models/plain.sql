select id, word from {{ ref('fewer') }}
