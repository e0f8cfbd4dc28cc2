{# Rows of unit tests as queries, for macros that call these: the engine's own unit tests do without them. #}

{% macro get_fixture_sql(rows, column_name_to_data_types) %}
    {%- set types = column_name_to_data_types or {} -%}
    {%- set quoted = {} -%}
    {%- if not types -%}
        {%- set types = {} -%}
        {%- for column in adapter.get_columns_in_relation(defer_relation if defer_relation and not load_relation(this) else this) -%}
            {%- do types.update({column.name | lower: column.data_type}) -%}
            {%- do quoted.update({column.name | lower: column.quoted}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if not types -%}
        {%- do exceptions.raise_compiler_error("Not able to get columns for unit test '" ~ model.name ~ "' from relation " ~ this ~ " because the relation doesn't exist") -%}
    {%- endif -%}
    {%- set nothing = {} -%}
    {%- for name, type in types.items() -%}
        {%- do nothing.update({name: safe_cast('null', type) | trim}) -%}
    {%- endfor -%}
    {%- do validate_fixture_rows(rows, row_number) -%}
    {%- set queries = [] -%}
    {%- for row in rows or [{}] -%}
        {%- set whole = nothing.copy() -%}
        {%- do whole.update(format_row(row, types)) -%}
        {%- set columns = [] -%}
        {%- for name, value in whole.items() -%}
            {%- do columns.append(value ~ ' as ' ~ quoted[name]) -%}
        {%- endfor -%}
        {%- do queries.append('select ' ~ columns | join(', ')) -%}
    {%- endfor -%}
    -- Fixture for {{ model.name }}
    {{ queries | join('\nunion all\n') }}{{ ' limit 0' if not rows }}
{%- endmacro %}

{% macro get_expected_sql(rows, column_name_to_data_types, column_name_to_quoted) %}
    {%- if not rows -%}
        select * from dbt_internal_unit_test_actual
        limit 0
    {%- endif -%}
    {%- for row in rows -%}
        {%- set columns = [] -%}
        {%- for name, value in format_row(row, column_name_to_data_types).items() -%}
            {%- do columns.append(value ~ ' as ' ~ column_name_to_quoted[name]) -%}
        {%- endfor -%}
        select {{ columns | join(', ') }}
        {%- if not loop.last %}
        union all
        {% endif -%}
    {%- endfor -%}
{% endmacro %}

{# Every value of a row as an expression of its column's type, by the column's name in small letters. #}
{%- macro format_row(row, column_name_to_data_types) -%}
    {%- set formatted = {} -%}
    {%- for written, value in row.items() -%}
        {%- set name = written | lower -%}
        {%- if name not in column_name_to_data_types -%}
            {%- set fixture = 'expected output' if model.resource_type == 'unit_test' else "'" ~ model.name ~ "'" -%}
            {%- do exceptions.raise_compiler_error("Invalid column name: '" ~ name ~ "' in unit test fixture for " ~ fixture ~ ".\nAccepted columns for " ~ fixture ~ " are: " ~ (column_name_to_data_types.keys() | list)) -%}
        {%- endif -%}
        {%- set type = column_name_to_data_types[name] -%}
        {%- if value is string -%}
            {# a length would cut the text #}
            {%- set type = type.split('(')[0] if 'varying' in type else type -%}
            {%- set value = dbt.string_literal(dbt.escape_single_quotes(value)) -%}
        {%- elif value is none -%}
            {%- set value = 'null' -%}
        {%- endif -%}
        {%- do formatted.update({name: safe_cast(value, type)}) -%}
    {%- endfor -%}
    {%- do return(formatted) -%}
{%- endmacro -%}

{%- macro validate_fixture_rows(rows, row_number) -%}
    {{ return(adapter.dispatch('validate_fixture_rows', 'dbt')(rows, row_number)) }}
{%- endmacro -%}

{%- macro default__validate_fixture_rows(rows, row_number) -%}{%- endmacro -%}

{% macro get_unit_test_sql(main_sql, expected_fixture_sql, expected_column_names) -%}
    {{ adapter.dispatch('get_unit_test_sql', 'dbt')(main_sql, expected_fixture_sql, expected_column_names) }}
{%- endmacro %}

{% macro default__get_unit_test_sql(main_sql, expected_fixture_sql, expected_column_names) -%}
    {%- set columns = expected_column_names | join(', ') -%}
    {%- set side = adapter.quote('actual_or_expected') -%}
    with dbt_internal_unit_test_actual as (
        select {{ columns }}, {{ dbt.string_literal('actual') }} as {{ side }}
        from (
            {{ main_sql }}
        ) _dbt_internal_unit_test_actual
    ),
    dbt_internal_unit_test_expected as (
        select {{ columns }}, {{ dbt.string_literal('expected') }} as {{ side }}
        from (
            {{ expected_fixture_sql }}
        ) _dbt_internal_unit_test_expected
    )
    select * from dbt_internal_unit_test_actual
    union all
    select * from dbt_internal_unit_test_expected
{%- endmacro %}
