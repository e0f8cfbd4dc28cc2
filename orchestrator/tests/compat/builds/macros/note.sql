{% macro note(what) %}
  {%- if execute -%}
    insert into {{ target.schema }}.journal values ('{{ what }}', {{ var('upto') }})
  {%- endif -%}
{% endmacro %}
