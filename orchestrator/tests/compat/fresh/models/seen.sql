select id::bigint as id, 'x'::varchar(3) as code from {{ ref('copied') }}
