{# snapshot: rows as they were, each with the time it was so. #}

{% materialization snapshot, default %}
    {%- set unique_key = config.get('unique_key') -%}
    {%- set target_exists, target_relation = get_or_create_relation(
        database=model.database, schema=model.schema, identifier=model.alias, type='table') -%}
    {%- if not target_relation.is_table -%}
        {%- do exceptions.relation_wrong_type(target_relation, 'table') -%}
    {%- endif -%}
    {%- do run_hooks(pre_hooks, inside_transaction=false) -%}
    {%- do run_hooks(pre_hooks, inside_transaction=true) -%}

    {%- set strategy_macro = strategy_dispatch(config.get('strategy')) -%}
    {%- set strategy = strategy_macro(model, 'snapshotted_data', 'source_data', model['config'], target_exists) -%}
    {%- if not target_exists -%}
        {%- set build_sql = build_snapshot_table(strategy, sql) -%}
        {%- set final_sql = create_table_as(false, target_relation, build_sql) -%}
    {%- else -%}
        {%- set columns = config.get('snapshot_table_column_names') or get_snapshot_table_column_names() -%}
        {%- do adapter.assert_valid_snapshot_target_given_strategy(target_relation, columns, strategy) -%}
        {%- set build_sql = snapshot_staging_table(strategy, sql, target_relation) -%}
        {%- set staging_table = build_snapshot_staging_table(strategy, sql, target_relation) -%}
        {%- do adapter.expand_target_column_types(from_relation=staging_table, to_relation=target_relation) -%}
        {%- set helpers = ['dbt_change_type', 'DBT_CHANGE_TYPE', 'dbt_unique_key', 'DBT_UNIQUE_KEY'] -%}
        {%- if unique_key | is_list -%}
            {%- for key in strategy.unique_key -%}
                {%- do helpers.append('dbt_unique_key_' ~ loop.index) -%}
                {%- do helpers.append('DBT_UNIQUE_KEY_' ~ loop.index) -%}
            {%- endfor -%}
        {%- endif -%}
        {%- do create_columns(target_relation, adapter.get_missing_columns(staging_table, target_relation)
            | rejectattr('name', 'in', helpers) | list) -%}
        {%- set written = [] -%}
        {%- for column in adapter.get_columns_in_relation(staging_table) | rejectattr('name', 'in', helpers) -%}
            {%- do written.append(adapter.quote(column.name)) -%}
        {%- endfor -%}
        {%- set final_sql = snapshot_merge_sql(target=target_relation, source=staging_table, insert_cols=written) -%}
    {%- endif -%}
    {%- do check_time_data_types(build_sql) -%}
    {% call statement('main') %}
      {{ final_sql }}
  {% endcall %}
    {%- do adapter.cache_added(target_relation) -%}

    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(target_exists, full_refresh_mode=false)) -%}
    {%- do persist_docs(target_relation, model) -%}
    {%- if not target_exists -%}{%- do create_indexes(target_relation) -%}{%- endif -%}
    {%- do run_hooks(post_hooks, inside_transaction=true) -%}
    {%- do adapter.commit() -%}
    {%- if staging_table is defined -%}{%- do post_snapshot(staging_table) -%}{%- endif -%}
    {%- do run_hooks(post_hooks, inside_transaction=false) -%}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% macro get_snapshot_table_column_names() %}
    {%- set names = {} -%}
    {%- for name in ['dbt_valid_to', 'dbt_valid_from', 'dbt_scd_id', 'dbt_updated_at', 'dbt_is_deleted'] -%}
        {%- do names.update({name: name}) -%}
    {%- endfor -%}
    {{ return(names) }}
{% endmacro %}

{% macro post_snapshot(staging_relation) %}
    {{ adapter.dispatch('post_snapshot', 'dbt')(staging_relation) }}
{% endmacro %}
{% macro default__post_snapshot(staging_relation) %}{% endmacro %}

{% macro get_true_sql() %}
  {{ adapter.dispatch('get_true_sql', 'dbt')() }}
{% endmacro %}
{% macro default__get_true_sql() %}{{ return('TRUE') }}{% endmacro %}

{% macro build_snapshot_table(strategy, sql) -%}
    {{ adapter.dispatch('build_snapshot_table', 'dbt')(strategy, sql) }}
{% endmacro %}

{% macro default__build_snapshot_table(strategy, sql) %}
    {% set columns = config.get('snapshot_table_column_names') or get_snapshot_table_column_names() %}

    select *,
        {{ strategy.scd_id }} as {{ columns.dbt_scd_id }},
        {{ strategy.updated_at }} as {{ columns.dbt_updated_at }},
        {{ strategy.updated_at }} as {{ columns.dbt_valid_from }},
        {{ get_dbt_valid_to_current(strategy, columns) }}
        {%- if strategy.hard_deletes == 'new_record' -%}
        , 'False' as {{ columns.dbt_is_deleted }}
      {% endif -%}
    from (
        {{ sql }}
    ) sbq

{% endmacro %}

{% macro build_snapshot_staging_table(strategy, sql, target_relation) %}
    {%- set staging = make_temp_relation(target_relation) -%}
    {%- set rows = snapshot_staging_table(strategy, sql, target_relation) -%}
    {%- call statement('build_snapshot_staging_relation') -%}
        {{ create_table_as(true, staging, rows) }}
    {%- endcall -%}
    {{ return(staging) }}
{% endmacro %}

{% macro snapshot_staging_table(strategy, source_sql, target_relation) -%}
    {{ adapter.dispatch('snapshot_staging_table', 'dbt')(strategy, source_sql, target_relation) }}
{% endmacro %}

{# What is to be done, a row for each change: insert, update (close), delete (close), and for `new_record` the insert of
   a row that says that it is gone. #}
{% macro default__snapshot_staging_table(strategy, source_sql, target_relation) -%}
    {%- set columns = config.get('snapshot_table_column_names') or get_snapshot_table_column_names() -%}
    {%- set current = config.get('dbt_valid_to_current') -%}
    {%- set keep = strategy.hard_deletes == 'new_record' -%}
    {%- set close = keep or strategy.hard_deletes == 'invalidate' -%}
    {%- set join = unique_key_join_on(strategy.unique_key, 'snapshotted_data', 'source_data') -%}
    {%- set gone = "snapshotted_data." ~ columns.dbt_is_deleted ~ " = 'True'" -%}
    {%- set open_row = 'snapshotted_data.' ~ columns.dbt_valid_to ~ (' = ' ~ current if current else ' is null') -%}
    {%- set changed = strategy.row_changed ~ ('or ' ~ gone ~ ' ' if keep else '') %}
    {% if keep %}
        {# one line more #}
    {% endif %}
    with snapshot_query as (

        {{ source_sql }}

    ),

    snapshotted_data as (

        select *, {{ unique_key_fields(strategy.unique_key) }}
        from {{ target_relation }}
        where
            {% if current %}
                {{- '\n\t\t\n\t\t\n\n\t\t\n                ' -}}
                ( {{ equals(columns.dbt_valid_to | trim, current | trim) }} or {{ columns.dbt_valid_to | trim }} is null )
            {% else %}
                {{ columns.dbt_valid_to }} is null
            {% endif %}

    ),

    insertions_source_data as (

        select *, {{ unique_key_fields(strategy.unique_key) }},
            {{ strategy.updated_at }} as {{ columns.dbt_updated_at }},
            {{ strategy.updated_at }} as {{ columns.dbt_valid_from }},
            {{ get_dbt_valid_to_current(strategy, columns) }},
            {{ strategy.scd_id }} as {{ columns.dbt_scd_id }}

        from snapshot_query
    ),

    updates_source_data as (

        select *, {{ unique_key_fields(strategy.unique_key) }},
            {{ strategy.updated_at }} as {{ columns.dbt_updated_at }},
            {{ strategy.updated_at }} as {{ columns.dbt_valid_from }},
            {{ strategy.updated_at }} as {{ columns.dbt_valid_to }}

        from snapshot_query
    ),

    {%- if close %}

    deletes_source_data as (

        select *, {{ unique_key_fields(strategy.unique_key) }}
        from snapshot_query
    ),
    {% endif %}

    insertions as (

        select
            'insert' as dbt_change_type,
            source_data.*
            {{- ",'False' as " ~ columns.dbt_is_deleted if keep }}

        from insertions_source_data as source_data
        left outer join snapshotted_data
            on {{ join }}
            where {{ unique_key_is_null(strategy.unique_key, 'snapshotted_data') }}
            or ({{ unique_key_is_not_null(strategy.unique_key, 'snapshotted_data') }} and (
               {{ changed }}
            )

        )

    ),

    updates as (

        select
            'update' as dbt_change_type,
            source_data.*,
            snapshotted_data.{{ columns.dbt_scd_id }}
            {{- ', snapshotted_data.' ~ columns.dbt_is_deleted if keep }}

        from updates_source_data as source_data
        join snapshotted_data
            on {{ join }}
        where (
            {{ changed }}
        )
    )

    {%- if close %}
    ,
    deletes as (

        select
            'delete' as dbt_change_type,
            source_data.*,
            {{ snapshot_get_time() }} as {{ columns.dbt_valid_from }},
            {{ snapshot_get_time() }} as {{ columns.dbt_updated_at }},
            {{ snapshot_get_time() }} as {{ columns.dbt_valid_to }},
            snapshotted_data.{{ columns.dbt_scd_id }}
            {{- ', snapshotted_data.' ~ columns.dbt_is_deleted if keep }}
        from snapshotted_data
        left join deletes_source_data as source_data
            on {{ join }}
            where {{ unique_key_is_null(strategy.unique_key, 'source_data') }}

            {%- if keep %}
            and not (
                --avoid updating the record's valid_to if the latest entry is marked as deleted
                {{ gone }}
                and
                {{ open_row }}
            )
            {%- endif %}
    )
    {%- endif %}

    {%- if keep %}
        {% set stored = get_list_of_column_names(get_columns_in_relation(target_relation)) %}
        {% set selected = get_columns_in_query(source_sql) %}
    ,
    deletion_records as (

        select
            'insert' as dbt_change_type,
            {%- for name in selected -%}
            {{ 'snapshotted_data' if name in stored else 'source_data' }}.{{ adapter.quote(name) }},
            {%- endfor -%}
            {%- if strategy.unique_key | is_list -%}
                {%- for key in strategy.unique_key -%}
            snapshotted_data.{{ key }} as dbt_unique_key_{{ loop.index }},
                {% endfor -%}
            {%- else -%}
            snapshotted_data.dbt_unique_key as dbt_unique_key,
            {% endif -%}
            {{ snapshot_get_time() }} as {{ columns.dbt_valid_from }},
            {{ snapshot_get_time() }} as {{ columns.dbt_updated_at }},
            snapshotted_data.{{ columns.dbt_valid_to }} as {{ columns.dbt_valid_to }},
            {{ snapshot_hash_arguments([columns.dbt_scd_id, snapshot_get_time()]) }} as {{ columns.dbt_scd_id }},
            'True' as {{ columns.dbt_is_deleted }}
        from snapshotted_data
        left join deletes_source_data as source_data
            on {{ join }}
        where {{ unique_key_is_null(strategy.unique_key, 'source_data') }}
        and not (
            --avoid inserting a new record if the latest one is marked as deleted
            {{ gone }}
            and
            {{ open_row }}
            )

    )
    {%- endif %}

    select * from insertions
    union all
    select * from updates
    {%- if close %}
    union all
    select * from deletes
    {%- endif %}
    {%- if keep %}
    union all
    select * from deletion_records
    {%- endif %}
{%- endmacro %}

{% macro get_dbt_valid_to_current(strategy, columns) %}
  {% set current = config.get('dbt_valid_to_current') or 'null' %}
  coalesce(nullif({{ strategy.updated_at }}, {{ strategy.updated_at }}), {{ current }})
  as {{ columns.dbt_valid_to }}
{% endmacro %}

{# a key of one column or of several #}

{% macro unique_key_fields(unique_key) %}
    {% if unique_key | is_list %}
        {% for key in unique_key %}
            {{ key }} as dbt_unique_key_{{ loop.index }}{{ ' ,' if not loop.last }}
        {% endfor %}
    {% else %}
        {{ unique_key }} as dbt_unique_key
    {% endif %}
{% endmacro %}

{% macro unique_key_join_on(unique_key, identifier, from_identifier) %}
    {% if unique_key | is_list %}
        {% for key in unique_key %}
            {%- set name = '.dbt_unique_key_' ~ loop.index -%}
            {{ '\n\t    ' * 3 }}{{ equals(identifier ~ name, from_identifier ~ name) }}{{ ' and' if not loop.last }}
        {% endfor %}
    {% else %}
        {{ identifier }}.dbt_unique_key = {{ from_identifier }}.dbt_unique_key
    {% endif %}
{% endmacro %}

{% macro unique_key_is_null(unique_key, identifier) %}
    {{ snapshot_key(unique_key, identifier) }} is null
    {# this line stays #}
{% endmacro %}

{% macro unique_key_is_not_null(unique_key, identifier) %}
    {{ snapshot_key(unique_key, identifier) }} is not null
    {# this line stays #}
{% endmacro %}

{# The first column tells of them all. #}
{% macro snapshot_key(unique_key, identifier) %}
        {{ identifier }}.dbt_unique_key{{ '_1' if unique_key | is_list }}
{%- endmacro %}

{% macro snapshot_merge_sql(target, source, insert_cols) -%}
    {{ adapter.dispatch('snapshot_merge_sql', 'dbt')(target, source, insert_cols) }}
{%- endmacro %}

{% macro default__snapshot_merge_sql(target, source, insert_cols) -%}
    {{ return(postgres__snapshot_merge_sql(target, source, insert_cols)) }}
{%- endmacro %}

{% macro postgres__snapshot_merge_sql(target, source, insert_cols) -%}
    {%- set columns = config.get('snapshot_table_column_names') or get_snapshot_table_column_names() -%}
    {%- set current = config.get('dbt_valid_to_current') -%}
    {%- set valid_to = target ~ '.' ~ columns.dbt_valid_to -%}
    update {{ target }}
    set {{ columns.dbt_valid_to }} = DBT_INTERNAL_SOURCE.{{ columns.dbt_valid_to }}
    from {{ source }} as DBT_INTERNAL_SOURCE
    where DBT_INTERNAL_SOURCE.{{ columns.dbt_scd_id }}::text = {{ target }}.{{ columns.dbt_scd_id }}::text
      and DBT_INTERNAL_SOURCE.dbt_change_type::text in ('update'::text, 'delete'::text)
      {% if current %}
        and ({{ valid_to }} = {{ current }} or {{ valid_to }} is null);
      {% else %}
        and {{ valid_to }} is null;
      {% endif %}


    insert into {{ target }} ({{ insert_cols | join(', ') }})
    select {% for column in insert_cols %}DBT_INTERNAL_SOURCE.{{ column }}{{ ',' if not loop.last }}{% endfor %}
    from {{ source }} as DBT_INTERNAL_SOURCE
    where DBT_INTERNAL_SOURCE.dbt_change_type::text = 'insert'::text;
{% endmacro %}
