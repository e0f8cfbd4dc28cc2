{# The statements that create tables, views and indexes; contracts. #}

{% macro get_create_table_as_sql(temporary, relation, sql) -%}
    {{ adapter.dispatch('get_create_table_as_sql', 'dbt')(temporary, relation, sql) }}
{%- endmacro %}

{% macro default__get_create_table_as_sql(temporary, relation, sql) -%}
    {{ return(create_table_as(temporary, relation, sql)) }}
{%- endmacro %}

{% macro create_table_as(temporary, relation, compiled_code, language='sql') -%}
    {%- if language != 'sql' -%}
        {%- do exceptions.raise_compiler_error('create_table_as does not know the language ' ~ language) -%}
    {%- endif %}
  {# these lines stay #}
    {{ adapter.dispatch('create_table_as', 'dbt')(temporary, relation, compiled_code) }}
  {# and this one #}
{%- endmacro %}

{% macro default__create_table_as(temporary, relation, sql) -%}
    {{ return(postgres__create_table_as(temporary, relation, sql)) }}
{%- endmacro %}

{% macro postgres__create_table_as(temporary, relation, sql) -%}
    {%- set kind = 'temporary' if temporary else ('unlogged' if config.get('unlogged', default=false) else '') -%}
    {{ config.get('sql_header', none) or '' }}

  create {{ kind }} table {{ relation }}
  {% set contracted = config.get('contract').enforced %}
  {% if contracted %}
    {{ get_assert_columns_equivalent(sql) }}
  {% endif -%}
  {% if contracted and not temporary -%}
    {{ get_table_columns_and_constraints() }} ;
    insert into {{ relation }} (
      {{ adapter.dispatch('get_column_names', 'dbt')() }}
    )
    {%- set sql = get_select_subquery(sql) %}
  {% else %}
    as
  {% endif %}
  (
    {{ sql }}
  );
{%- endmacro %}

{% macro get_create_view_as_sql(relation, sql) -%}
    {{ adapter.dispatch('get_create_view_as_sql', 'dbt')(relation, sql) }}
{%- endmacro %}

{% macro default__get_create_view_as_sql(relation, sql) -%}
    {{ return(create_view_as(relation, sql)) }}
{%- endmacro %}

{% macro create_view_as(relation, sql) -%}
    {{ adapter.dispatch('create_view_as', 'dbt')(relation, sql) }}
{%- endmacro %}

{% macro default__create_view_as(relation, sql) -%}
    {{ config.get('sql_header', none) or '' }}
  create view {{ relation }}
    {% set contracted = config.get('contract').enforced %}
    {% if contracted %}
      {{ get_assert_columns_equivalent(sql) }}
    {%- endif %}
  as (
    {{ sql }}
  );
{%- endmacro %}

{% macro create_or_replace_view() %}
    {%- set target = this.incorporate(type='view') -%}
    {%- do run_hooks(pre_hooks) -%}
    {%- set old = load_cached_relation(this) -%}
    {%- if old is not none and not old.is_view -%}{%- do handle_existing_table(should_full_refresh(), old) -%}{%- endif -%}
    {%- call statement('main') -%}{{ get_replace_view_sql(target, sql) }}{%- endcall -%}
    {%- do apply_grants(target, config.get('grants'), should_revoke=should_revoke(old, full_refresh_mode=true)) -%}
    {%- do run_hooks(post_hooks) -%}
    {%- do return({'relations': [target]}) -%}
{% endmacro %}

{% macro handle_existing_table(full_refresh, old_relation) %}
    {{ adapter.dispatch('handle_existing_table', 'dbt')(full_refresh, old_relation) }}
{% endmacro %}

{% macro default__handle_existing_table(full_refresh, old_relation) %}
    {%- do adapter.drop_relation(old_relation) -%}
{% endmacro %}

{% macro get_replace_view_sql(relation, sql) -%}
    {{- adapter.dispatch('get_replace_view_sql', 'dbt')(relation, sql) -}}
{%- endmacro %}

{% macro default__get_replace_view_sql(relation, sql) -%}
    {{ config.get('sql_header', none) or '' }}

    create or replace view {{ relation }}
        {% set contracted = config.get('contract').enforced %}
        {% if contracted %}
            {{ get_assert_columns_equivalent(sql) }}
        {%- endif %}
    as (
        {{ sql }}
    );
{%- endmacro %}

{# indexes #}

{% macro get_create_index_sql(relation, index_dict) -%}
    {{ return(adapter.dispatch('get_create_index_sql', 'dbt')(relation, index_dict)) }}
{%- endmacro %}

{% macro default__get_create_index_sql(relation, index_dict) -%}
    {{ return(postgres__get_create_index_sql(relation, index_dict)) }}
{%- endmacro %}

{% macro postgres__get_create_index_sql(relation, index_dict) -%}
    {%- set index = adapter.parse_index(index_dict) -%}
  create {{ 'unique' if index.unique }} index if not exists
  "{{ index.render(relation) }}"
  on {{ relation }} {{ 'using ' ~ index.type if index.type }}
  ({{ index.columns | join(', ') }})
{%- endmacro %}

{% macro create_indexes(relation) -%}
    {{ adapter.dispatch('create_indexes', 'dbt')(relation) }}
{%- endmacro %}

{% macro default__create_indexes(relation) -%}
    {%- for index_dict in config.get('indexes', default=[]) -%}
        {%- set sql = get_create_index_sql(relation, index_dict) -%}
        {%- if sql -%}{%- do run_query(sql) -%}{%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{% macro get_drop_index_sql(relation, index_name) -%}
    {{ adapter.dispatch('get_drop_index_sql', 'dbt')(relation, index_name) }}
{%- endmacro %}

{% macro default__get_drop_index_sql(relation, index_name) -%}
    drop index if exists "{{ relation.schema }}"."{{ index_name }}"
{%- endmacro %}

{% macro get_show_indexes_sql(relation) -%}
    {{ adapter.dispatch('get_show_indexes_sql', 'dbt')(relation) }}
{%- endmacro %}

{# columns in the order of the index #}
{% macro default__get_show_indexes_sql(relation) -%}
    select i.relname as name, m.amname as method, x.indisunique as "unique",
        (select string_agg(pg_get_indexdef(x.indexrelid, k, true), ',' order by k)
            from generate_series(1, x.indnkeyatts) as k) as column_names
    from pg_index x
    join pg_class i on i.oid = x.indexrelid
    join pg_am m on m.oid = i.relam
    join pg_class t on t.oid = x.indrelid
    join pg_namespace n on n.oid = t.relnamespace
    where t.relname = '{{ relation.identifier }}' and n.nspname = '{{ relation.schema }}' and t.relkind in ('r', 'm')
    order by 1, 2, 3
{%- endmacro %}

{# contracts #}

{% macro get_table_columns_and_constraints() -%}
    {{ adapter.dispatch('get_table_columns_and_constraints', 'dbt')() }}
{%- endmacro %}

{% macro default__get_table_columns_and_constraints() -%}
    {{ return(table_columns_and_constraints()) }}
{%- endmacro %}

{% macro table_columns_and_constraints() %}
  {# this line stays #}
    {%- set columns = adapter.render_raw_columns_constraints(raw_columns=model['columns']) -%}
    {%- set constraints = adapter.render_raw_model_constraints(raw_constraints=model['constraints']) -%}
    (
    {% for column in columns -%}
        {{ column }}{{ ',' if constraints or not loop.last }}
    {% endfor %}
    {{ constraints | join(',\n    ') ~ '\n    ' if constraints }})
{% endmacro %}

{% macro default__get_column_names() %}
    {%- for name, column in model['columns'].items() -%}
        {{ adapter.quote(column['name']) if column.get('quote') else column['name'] }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{% endmacro %}

{% macro get_select_subquery(sql) %}
    {{ return(adapter.dispatch('get_select_subquery', 'dbt')(sql)) }}
{% endmacro %}

{% macro default__get_select_subquery(sql) %}
    select {{ adapter.dispatch('get_column_names', 'dbt')() }}
    from (
        {{ sql }}
    ) as model_subq
{%- endmacro %}

{% macro get_assert_columns_equivalent(sql) -%}
    {{ adapter.dispatch('get_assert_columns_equivalent', 'dbt')(sql) }}
{%- endmacro %}

{% macro default__get_assert_columns_equivalent(sql) -%}
    {{ return(assert_columns_equivalent(sql)) }}
{%- endmacro %}

{# Names and types of the query against those of the property file; order does not matter. #}
{% macro assert_columns_equivalent(sql) %}
    {%- if not model['columns'] -%}{%- do exceptions.raise_contract_error([], []) -%}{%- endif -%}
    {%- set found = format_columns(get_column_schema_from_query(sql, config.get('sql_header', none))) -%}
    {%- set wanted = format_columns(get_column_schema_from_query(get_empty_schema_sql(model['columns']))) -%}
    {%- set ours = found | map(attribute='formatted') | sort | list -%}
    {%- set theirs = wanted | map(attribute='formatted') | sort | list -%}
    {%- if ours != theirs -%}{%- do exceptions.raise_contract_error(wanted, found) -%}{%- endif -%}
{% endmacro %}

{% macro format_columns(columns) %}
    {%- set formatted = [] -%}
    {%- for column in columns -%}
        {%- do formatted.append(adapter.dispatch('format_column', 'dbt')(column)) -%}
    {%- endfor -%}
    {{ return(formatted) }}
{% endmacro %}

{% macro default__format_column(column) -%}
    {{ return({'name': column.name, 'data_type': column.dtype, 'formatted': column.column.lower() ~ ' ' ~ column.dtype}) }}
{%- endmacro %}
