{# Questions that models ask about how they are being built. #}

{# `__continues`: a further batch of a microbatch model, whose table the batch before it has made. #}
{% macro should_full_refresh() %}
    {%- if __continues -%}{%- do return(false) -%}{%- endif -%}
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

{% macro set_sql_header(config) -%}
    {{ config.set('sql_header', caller()) }}
{%- endmacro %}

{# A statement that was run elsewhere: only its text and its result are kept. #}
{% macro noop_statement(name=none, message=none, code=none, rows_affected=none, res=none) -%}
    {%- set sql = caller() -%}
    {%- if name == 'main' -%}{%- do write(sql) -%}{%- endif -%}
    {%- if name is not none -%}
        {%- do store_raw_result(name, message=message, code=code, rows_affected=rows_affected, agate_table=res) -%}
    {%- endif -%}
{%- endmacro %}
