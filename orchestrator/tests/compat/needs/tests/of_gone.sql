select * from {{ ref("gone") }} where {{ st() }}
