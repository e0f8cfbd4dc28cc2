select 1 as x from {{ ref('pairs') }} where false;
