{% macro greet() %}{{ return(adapter.dispatch('greet', 'helper')()) }}{% endmacro %}
{% macro default__greet() %}{{ return('plain') }}{% endmacro %}
{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}
