{% macro postgres__greet() %}{{ return('of trees') }}{% endmacro %}
{# says it #}
{% macro shout(text, times=2) -%}
  {{ text | upper }}{{ '!' * times }}
{%- endmacro %}
{% macro indirect(x) %}{{ shout(helper.twice(x)) }}{% endmacro %}
