{% test too_small(model, column_name, than=1) %}
  {{ config(severity='warn') }}
  select {{ column_name }} from {{ model }} where {{ column_name }} < {{ than }}
{% endtest %}
