{{ config(error_if='> 50', fail_calc='max(id)') }}
select id from {{ ref('pairs') }}
