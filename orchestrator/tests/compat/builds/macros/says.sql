{% macro says(what) %}
  {% do run_query("select '" ~ what ~ "'") %}
{% endmacro %}

{% macro says_nothing() %}
  {% do exceptions.raise_compiler_error('nothing') %}
{% endmacro %}
