{{ config(post_hook="grant select on {{ this }} to public") }}
select x from {{ ref('inside') }}
