select id, word from {{ ref('words') }}
