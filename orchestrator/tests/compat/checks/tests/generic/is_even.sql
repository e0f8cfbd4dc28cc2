{% test is_even(model, column_name) %}
{{ config(tags=['generic_tag']) }}
select * from {{ model }} where {{ column_name }} % 2 <> 0
{% endtest %}
