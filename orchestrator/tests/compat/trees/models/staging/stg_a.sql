{{ config(tags=['from_sql'], meta={'level': 3, 'sql': true}) }}
select id, name, '{{ var("region") }}' as region, {{ var('depth') }} as depth, '{{ indirect('x') }}' as x
from {{ ref('letters') }}
