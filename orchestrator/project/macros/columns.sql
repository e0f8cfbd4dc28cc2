{# Columns: of relations, of queries, and how they change. #}

{% macro get_columns_in_relation(relation) -%}
    {{ return(adapter.dispatch('get_columns_in_relation', 'dbt')(relation)) }}
{%- endmacro %}

{% macro default__get_columns_in_relation(relation) -%}
    {{ return(adapter.get_columns_in_relation(relation)) }}
{%- endmacro %}

{% macro sql_convert_columns_in_relation(table) -%}
    {%- set columns = [] -%}
    {%- for row in table -%}{%- do columns.append(api.Column(*row)) -%}{%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}

{% macro get_list_of_column_names(columns) -%}
    {{ return(columns | map(attribute='name') | list) }}
{%- endmacro %}

{% macro get_empty_subquery_sql(select_sql, select_sql_header=none) -%}
    {{ return(adapter.dispatch('get_empty_subquery_sql', 'dbt')(select_sql, select_sql_header)) }}
{%- endmacro %}

{% macro default__get_empty_subquery_sql(select_sql, select_sql_header=none) -%}
    {{ select_sql_header if select_sql_header is not none -}}
    select * from (
        {{ select_sql }}
    ) as __dbt_sbq
    where false
    limit 0
{% endmacro %}

{% macro get_column_schema_from_query(select_sql, select_sql_header=none) -%}
    {{ return(adapter.get_column_schema_from_query(get_empty_subquery_sql(select_sql, select_sql_header))) }}
{%- endmacro %}

{% macro get_columns_in_query(select_sql) -%}
    {{ return(adapter.dispatch('get_columns_in_query', 'dbt')(select_sql)) }}
{%- endmacro %}

{% macro default__get_columns_in_query(select_sql) -%}
    {%- call statement('get_columns_in_query', fetch_result=true, auto_begin=false) -%}
        {{ get_empty_subquery_sql(select_sql) }}
    {%- endcall -%}
    {{ return(load_result('get_columns_in_query').table.columns | map(attribute='name') | list) }}
{%- endmacro %}

{% macro get_empty_schema_sql(columns) -%}
    {{ return(adapter.dispatch('get_empty_schema_sql', 'dbt')(columns)) }}
{%- endmacro %}

{% macro default__get_empty_schema_sql(columns) -%}
    {%- set untyped = [] -%}
    select
    {% for name, column in columns.items() -%}
        {%- if column.get('data_type') is not defined or column.get('data_type') is none -%}
            {%- do untyped.append(name) -%}
        {%- endif -%}
        {%- set shown = adapter.quote(column.name) if column.get('quote') else column.name %}
      {{ cast('null', column.get('data_type')) }} as {{ shown }}{{ ', ' if not loop.last }}
    {%- endfor -%}
    {%- if untyped -%}
        {%- do exceptions.raise_compiler_error('Contracted models require data_type to be defined for each column. Please ensure that the column name and data_type are defined within the YAML configuration for the ' ~ untyped ~ ' column(s).') -%}
    {%- endif -%}
{%- endmacro %}

{% macro alter_column_type(relation, column_name, new_column_type) -%}
    {{ return(adapter.dispatch('alter_column_type', 'dbt')(relation, column_name, new_column_type)) }}
{%- endmacro %}

{# by a second column, as any old type can be cast so #}
{% macro default__alter_column_type(relation, column_name, new_column_type) -%}
    {%- set spare = adapter.quote(column_name ~ '__dbt_alter') -%}
    {%- set column = adapter.quote(column_name) -%}
    {%- call statement('alter_column_type') -%}
        alter table {{ relation.render() }} add column {{ spare }} {{ new_column_type }};
        update {{ relation.render() }} set {{ spare }} = {{ column }};
        alter table {{ relation.render() }} drop column {{ column }} cascade;
        alter table {{ relation.render() }} rename column {{ spare }} to {{ column }}
    {%- endcall -%}
{%- endmacro %}

{% macro alter_relation_add_remove_columns(relation, add_columns=none, remove_columns=none) -%}
    {{ return(adapter.dispatch('alter_relation_add_remove_columns', 'dbt')(relation, add_columns, remove_columns)) }}
{%- endmacro %}

{% macro default__alter_relation_add_remove_columns(relation, add_columns, remove_columns) -%}
    {%- set changes = [] -%}
    {%- for column in add_columns or [] -%}
        {%- do changes.append('add column ' ~ column.quoted ~ ' ' ~ column.expanded_data_type) -%}
    {%- endfor -%}
    {%- for column in remove_columns or [] -%}
        {%- do changes.append('drop column ' ~ column.quoted) -%}
    {%- endfor -%}
    {%- if changes -%}
        {%- do run_query('alter ' ~ relation.type ~ ' ' ~ relation.render() ~ ' ' ~ (changes | join(', '))) -%}
    {%- endif -%}
{%- endmacro %}

{% macro create_columns(relation, columns) %}
  {{ adapter.dispatch('create_columns', 'dbt')(relation, columns) }}
{% endmacro %}

{% macro default__create_columns(relation, columns) %}
  {% for column in columns %}
    {% call statement() %}
      alter table {{ relation.render() }} add column {{ adapter.quote(column.name) }} {{ column.expanded_data_type }};
    {% endcall %}
  {% endfor %}
{% endmacro %}
