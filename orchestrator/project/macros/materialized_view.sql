{# materialized_view: refreshed when it is there; built anew when asked or when something else has its name; its indexes
   follow the configuration. #}

{% materialization materialized_view, default %}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='materialized_view') -%}
    {%- set intermediate_relation = make_intermediate_relation(target_relation) -%}
    {%- set backup_relation = make_backup_relation(target_relation, 'materialized_view' if existing_relation is none else existing_relation.type) -%}
    {%- do materialized_view_setup(backup_relation, intermediate_relation, pre_hooks) -%}
    {%- set build_sql = materialized_view_get_build_sql(existing_relation, target_relation, backup_relation, intermediate_relation) -%}
    {%- if build_sql | trim == '' -%}
        {%- do materialized_view_execute_no_op(target_relation) -%}
    {%- else -%}
        {%- do materialized_view_execute_build_sql(build_sql, existing_relation, target_relation, post_hooks) -%}
    {%- endif -%}
    {%- do materialized_view_teardown(backup_relation, intermediate_relation, post_hooks) -%}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% macro materialized_view_setup(backup_relation, intermediate_relation, pre_hooks) %}
    {%- do drop_relation_if_exists(load_cached_relation(backup_relation)) -%}
    {%- do drop_relation_if_exists(load_cached_relation(intermediate_relation)) -%}
    {%- do run_hooks(pre_hooks, inside_transaction=false) -%}
{% endmacro %}

{% macro materialized_view_teardown(backup_relation, intermediate_relation, post_hooks) %}
    {%- do drop_relation_if_exists(load_cached_relation(backup_relation)) -%}
    {%- do drop_relation_if_exists(load_cached_relation(intermediate_relation)) -%}
    {%- do adapter.commit() -%}
    {%- do run_hooks(post_hooks, inside_transaction=false) -%}
{% endmacro %}

{% macro materialized_view_get_build_sql(existing_relation, target_relation, backup_relation, intermediate_relation) %}
    {%- if existing_relation is none -%}
        {{ return(get_create_materialized_view_as_sql(target_relation, sql)) }}
    {%- elif should_full_refresh() or not existing_relation.is_materialized_view -%}
        {{ return(get_replace_sql(existing_relation, target_relation, sql)) }}
    {%- endif -%}
    {%- set wanted = config.get('on_configuration_change') -%}
    {%- set changes = get_materialized_view_configuration_changes(existing_relation, config) -%}
    {%- if changes is none -%}
        {{ return(refresh_materialized_view(target_relation)) }}
    {%- elif wanted == 'apply' -%}
        {{ return(get_alter_materialized_view_as_sql(target_relation, changes, sql, existing_relation, backup_relation, intermediate_relation)) }}
    {%- elif wanted == 'continue' -%}
        {%- do exceptions.warn('Configuration changes were identified and `on_configuration_change` was set to `continue` for `' ~ target_relation.render() ~ '`') -%}
        {{ return('') }}
    {%- elif wanted == 'fail' -%}
        {%- do exceptions.raise_fail_fast_error('Configuration changes were identified and `on_configuration_change` was set to `fail` for `' ~ target_relation.render() ~ '`') -%}
    {%- else -%}
        {%- do exceptions.raise_compiler_error("on_configuration_change: expected apply, continue or fail, found '" ~ wanted ~ "'") -%}
    {%- endif -%}
{% endmacro %}

{% macro materialized_view_execute_no_op(target_relation) %}
    {%- do store_raw_result(name='main', message='skip ' ~ target_relation, code='skip', rows_affected='-1') -%}
{% endmacro %}

{% macro materialized_view_execute_build_sql(build_sql, existing_relation, target_relation, post_hooks) %}
    {%- do run_hooks(pre_hooks, inside_transaction=true) -%}
    {% call statement('main') %}
        {{ build_sql }}
    {% endcall %}
    {%- do adapter.cache_added(target_relation) -%}
    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing_relation, full_refresh_mode=true)) -%}
    {%- do persist_docs(target_relation, model) -%}
    {%- do run_hooks(post_hooks, inside_transaction=true) -%}
    {%- do adapter.commit() -%}
{% endmacro %}

{% macro get_create_materialized_view_as_sql(relation, sql) -%}
    {{- adapter.dispatch('get_create_materialized_view_as_sql', 'dbt')(relation, sql) -}}
{%- endmacro %}

{% macro default__get_create_materialized_view_as_sql(relation, sql) %}
    create materialized view if not exists {{ relation }} as {{ sql }};

    {% for index_dict in config.get('indexes', []) -%}
        {{- get_create_index_sql(relation, index_dict) -}}{{ ';' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{% macro refresh_materialized_view(relation) -%}
    {{- adapter.dispatch('refresh_materialized_view', 'dbt')(relation) -}}
{%- endmacro %}
{% macro default__refresh_materialized_view(relation) %}
    refresh materialized view {{ relation }}
{% endmacro %}

{% macro get_materialized_view_configuration_changes(existing_relation, new_config) %}
    {{ return(adapter.dispatch('get_materialized_view_configuration_changes', 'dbt')(existing_relation, new_config)) }}
{% endmacro %}

{# Indexes that are there against those that are wanted; names do not count. #}
{% macro default__get_materialized_view_configuration_changes(existing_relation, new_config) %}
    {%- set wanted = {} -%}
    {%- for index_dict in new_config.get('indexes', []) -%}
        {%- set index = adapter.parse_index(index_dict) -%}
        {%- do wanted.update({index.key: index_dict}) -%}
    {%- endfor -%}
    {%- set there = {} -%}
    {%- for row in run_query(get_show_indexes_sql(existing_relation)) -%}
        {%- set index = adapter.parse_index({'columns': row['column_names'].split(','), 'unique': row['unique'], 'type': row['method']}) -%}
        {%- do there.update({index.key: row['name']}) -%}
    {%- endfor -%}
    {%- set changes = [] -%}
    {%- for key, name in there.items() if key not in wanted -%}
        {%- do changes.append({'action': 'drop', 'context': {'name': name}}) -%}
    {%- endfor -%}
    {%- for key, index_dict in wanted.items() if key not in there -%}
        {%- do changes.append({'action': 'create', 'context': {'as_node_config': index_dict}}) -%}
    {%- endfor -%}
    {{ return({'indexes': changes, 'requires_full_refresh': false} if changes else none) }}
{% endmacro %}

{% macro get_alter_materialized_view_as_sql(relation, configuration_changes, sql, existing_relation, backup_relation, intermediate_relation) %}
    {{- return(adapter.dispatch('get_alter_materialized_view_as_sql', 'dbt')(relation, configuration_changes, sql, existing_relation, backup_relation, intermediate_relation)) -}}
{% endmacro %}

{% macro default__get_alter_materialized_view_as_sql(relation, configuration_changes, sql, existing_relation, backup_relation, intermediate_relation) %}
    {%- if configuration_changes.requires_full_refresh -%}
        {{ get_replace_sql(existing_relation, relation, sql) }}
    {%- else -%}
        {%- for change in configuration_changes.indexes -%}
            {%- if change.action == 'drop' -%}{{ get_drop_index_sql(relation, change.context.name) }}
            {%- else -%}{{ get_create_index_sql(relation, change.context.as_node_config) }}
            {%- endif -%}
            {{ ';\n' if not loop.last }}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
