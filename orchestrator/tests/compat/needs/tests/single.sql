select * from {{ ref("a") }} where a is null and {{ m1() }} = 1
