{% macro m1() %}1{% endmacro %}
{% macro m2() %}{{ m1() }}{% endmacro %}
{% macro rq() %}{% if execute %}{% do run_query('select 1') %}{% endif %}1{% endmacro %}
{% macro st() %}{% call statement('a', fetch_result=true) %}select {{ dbt.current_timestamp() }}{% endcall %}{{ load_result('a') is none }}{% endmacro %}
{% macro in_list() %}{{ return([1,2]) }}{% endmacro %}
{% test own(model, column_name, extra=none) %}{% do rq() %}select * from {{ model }} where {{ column_name }} is null{% endtest %}
{% macro around() %}{{ caller() }}{% endmacro %}
