{# How a snapshot knows that a row has changed. A strategy of one's own is a macro `snapshot_NAME_strategy`. #}

{% macro strategy_dispatch(name) -%}
    {%- set place = context -%}
    {%- set wanted = name -%}
    {%- if '.' in name -%}
        {%- set package, wanted = name.split('.', 1) -%}
        {%- if package not in context -%}
            {%- do exceptions.raise_compiler_error("Could not find package '" ~ package ~ "', called with '" ~ name ~ "'") -%}
        {%- endif -%}
        {%- set place = context[package] -%}
    {%- endif -%}
    {%- set searched = 'snapshot_' ~ wanted ~ '_strategy' -%}
    {%- if searched not in place -%}
        {%- do exceptions.raise_compiler_error("The specified strategy macro '" ~ wanted ~ "' was not found in package '" ~ package ~ "'") -%}
    {%- endif -%}
    {{ return(place[searched]) }}
{%- endmacro %}

{% macro snapshot_hash_arguments(args) -%}
    {{ adapter.dispatch('snapshot_hash_arguments', 'dbt')(args) }}
{%- endmacro %}

{% macro default__snapshot_hash_arguments(args) -%}
    md5({% for arg in args -%}
        coalesce(cast({{ arg }} as varchar ), '')
        {{ " || '|' || " if not loop.last }}
    {%- endfor %})
{%- endmacro %}

{# What a strategy says to the materialization: when a row was so, and what tells that it is so no longer. #}
{% macro snapshot_described(updated_at, row_changed) %}
    {%- set key = config.get('unique_key') -%}
    {%- set hard_deletes = adapter.get_hard_deletes_behavior(config) -%}
    {{ return({
        'unique_key': key,
        'updated_at': updated_at,
        'row_changed': row_changed,
        'scd_id': snapshot_hash_arguments(api.Relation.scd_args(key, updated_at)),
        'invalidate_hard_deletes': hard_deletes == 'invalidate',
        'hard_deletes': hard_deletes,
    }) }}
{% endmacro %}

{% macro snapshot_timestamp_strategy(node, snapshotted_rel, current_rel, model_config, target_exists) %}
    {%- set updated_at = config.get('updated_at') -%}
    {%- set columns = config.get('snapshot_table_column_names') or get_snapshot_table_column_names() -%}
    {#- the table may come from the other strategy and lack updated_at: its own time is what is compared -#}
    {%- set row_changed = '(' ~ snapshotted_rel ~ '.' ~ columns.dbt_valid_from ~ ' < ' ~ current_rel ~ '.' ~ updated_at ~ ')' -%}
    {{ return(snapshot_described(updated_at, row_changed)) }}
{% endmacro %}

{# Whether the query has columns that the table lacks, and the columns to compare. #}
{% macro snapshot_check_all_get_existing_columns(node, target_exists, check_cols_config) -%}
    {%- if not target_exists -%}{{ return([false, []]) }}{%- endif -%}
    {%- if check_cols_config == 'all' -%}
        {%- set wanted = get_columns_in_query(node['compiled_code']) -%}
    {%- elif check_cols_config is iterable and check_cols_config is not string and check_cols_config -%}
        {%- set wanted = get_columns_in_query('select ' ~ (check_cols_config | join(', ')) ~ ' from (\n' ~ node['compiled_code'] ~ '\n) subq') -%}
    {%- else -%}
        {%- do exceptions.raise_compiler_error("Invalid value for 'check_cols': " ~ check_cols_config) -%}
    {%- endif -%}
    {%- set target = adapter.get_relation(database=node.database, schema=node.schema, identifier=node.alias) -%}
    {%- set existing = adapter.get_columns_in_relation(target) | map(attribute='name') | list -%}
    {%- set compared = [] -%}
    {%- for name in wanted if name in existing -%}{%- do compared.append(adapter.quote(name)) -%}{%- endfor -%}
    {{ return([(compared | length) < (wanted | length), compared]) }}
{%- endmacro %}

{% macro snapshot_check_strategy(node, snapshotted_rel, current_rel, model_config, target_exists) %}
    {%- set updated_at = config.get('updated_at') or snapshot_get_time() -%}
    {%- set column_added, compared = snapshot_check_all_get_existing_columns(node, target_exists, config.get('check_cols')) -%}
    {%- set row_changed -%}
    (
    {%- if column_added -%}{{ get_true_sql() }}
    {%- else -%}
    {%- for column in compared -%}
        {%- set old, new = snapshotted_rel ~ '.' ~ column, current_rel ~ '.' ~ column -%}
        {{ old }} != {{ new }}
        or
        (
            (({{ old }} is null) and not ({{ new }} is null))
            or
            ((not {{ old }} is null) and ({{ new }} is null))
        )
        {{- ' or ' if not loop.last }}
    {%- endfor -%}
    {%- endif -%}
    )
    {%- endset -%}
    {{ return(snapshot_described(updated_at, row_changed)) }}
{% endmacro %}

{# dbt warns when the type of `dbt_updated_at` is not that of the clock. #}
{% macro get_updated_at_column_data_type(snapshot_sql) %}
    {%- for column in get_column_schema_from_query(snapshot_sql) if column.column | lower == 'dbt_updated_at' -%}
        {{ return(column.dtype) }}
    {%- endfor -%}
    {{ return(none) }}
{% endmacro %}

{% macro get_snapshot_get_time_data_type() %}
    {%- for column in get_column_schema_from_query('select ' ~ snapshot_get_time() ~ ' as t') -%}
        {{ return(column.dtype) }}
    {%- endfor -%}
{% endmacro %}

{% macro check_time_data_types(sql) %}
    {%- set ours = get_snapshot_get_time_data_type() -%}
    {%- set theirs = get_updated_at_column_data_type(sql) -%}
    {%- if ours is not none and theirs is not none and ours != theirs -%}
        {%- do exceptions.warn_snapshot_timestamp_data_types(ours, theirs) -%}
    {%- endif -%}
{% endmacro %}
