{# Questions that models ask about how they are being built. #}

{% macro should_full_refresh() %}
    {%- set wanted = config.get('full_refresh') -%}
    {%- do return(flags.FULL_REFRESH if wanted is none else wanted) -%}
{% endmacro %}

{% macro is_incremental() %}
    {%- if not execute -%}{%- do return(false) -%}{%- endif -%}
    {%- set existing = adapter.get_relation(this.database, this.schema, this.table) -%}
    {%- do return(
        existing is not none
        and existing.type == 'table'
        and model.config.materialized == 'incremental'
        and not should_full_refresh()
    ) -%}
{% endmacro %}

{% macro before_begin(sql) %}
    {%- do return({'sql': sql, 'transaction': false} | tojson) -%}
{% endmacro %}

{% macro after_commit(sql) %}
    {%- do return({'sql': sql, 'transaction': false} | tojson) -%}
{% endmacro %}

{% macro in_transaction(sql) %}
    {%- do return({'sql': sql, 'transaction': true} | tojson) -%}
{% endmacro %}

{% macro make_hook_config(sql, inside_transaction) %}
    {%- do return({'sql': sql, 'transaction': inside_transaction} | tojson) -%}
{% endmacro %}
