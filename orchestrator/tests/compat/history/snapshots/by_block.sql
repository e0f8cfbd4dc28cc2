{% snapshot by_block %}
{{ config(unique_key='id', strategy='timestamp', updated_at='at') }}
select * from {{ source('raw', 'things') }}
{% endsnapshot %}

{% snapshot by_check %}
{{ config(unique_key='id', strategy='check', check_cols=['word'], invalidate_hard_deletes=true) }}
select id, word from {{ source('raw', 'things') }}
{% endsnapshot %}
