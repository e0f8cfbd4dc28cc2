select * from {{ source('outside', 'things') }} cross join {{ ref('helper', 'help') }}
