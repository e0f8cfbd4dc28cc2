{% macro outer_macro() %}{{ inner_macro() }}{% endmacro %}
{% macro inner_macro() %}{% if execute %}{{ exceptions.raise_compiler_error('not today') }}{% endif %}{% endmacro %}
