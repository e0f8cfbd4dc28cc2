{{ config(access='public') }}
select v1.name as v1, v2.name as v2 from {{ ref('versioned', v=1) }} v1 join {{ ref('versioned') }} v2 using (id)
cross join {{ ref("secret") }}
