select * from {{ ref('indexed') }}
