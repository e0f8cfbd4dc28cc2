{# The pieces of which materializations of seeds are made: the engine's own loads by COPY and needs none of them. #}

{% macro get_batch_size() -%}
    {{ return(adapter.dispatch('get_batch_size', 'dbt')()) }}
{%- endmacro %}

{% macro default__get_batch_size() %}
    {%- do return(10000) -%}
{% endmacro %}

{% macro get_binding_char() -%}
    {{ adapter.dispatch('get_binding_char', 'dbt')() }}
{%- endmacro %}

{% macro default__get_binding_char() %}
    {%- do return('%s') -%}
{% endmacro %}

{% macro get_seed_column_quoted_csv(model, column_names) %}
    {%- set quoting = model['config'].get('quote_columns') -%}
    {%- set names = [] -%}
    {%- for name in column_names -%}
        {%- do names.append(adapter.quote_seed_column(name, quoting)) -%}
    {%- endfor -%}
    {%- do return(names | join(', ')) -%}
{% endmacro %}

{% macro get_csv_sql(create_or_truncate_sql, insert_sql) %}
    {{ adapter.dispatch('get_csv_sql', 'dbt')(create_or_truncate_sql, insert_sql) }}
{% endmacro %}

{% macro default__get_csv_sql(create_or_truncate_sql, insert_sql) %}
    {{ create_or_truncate_sql }};
    -- dbt seed --
    {{ insert_sql }}
{% endmacro %}
