{#- Fails with each combination of `columns` that occurs more than once. -#}
{% test unique_together(model, columns) %}

select {{ columns | join(', ') }}, count(*) as copies
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1

{% endtest %}
