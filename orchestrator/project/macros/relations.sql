{# What exists, the names of what stands beside it, and how it is renamed and dropped. #}

{% macro load_cached_relation(relation) %}
    {%- do return(adapter.get_relation(relation.database, relation.schema, relation.identifier)) -%}
{% endmacro %}

{% macro load_relation(relation) %}
    {%- do return(load_cached_relation(relation)) -%}
{% endmacro %}

{% macro get_or_create_relation(database, schema, identifier, type) -%}
    {{ return(adapter.dispatch('get_or_create_relation', 'dbt')(database, schema, identifier, type)) }}
{%- endmacro %}

{% macro default__get_or_create_relation(database, schema, identifier, type) %}
    {%- set found = adapter.get_relation(database=database, schema=schema, identifier=identifier) -%}
    {%- if found -%}{%- do return([true, found]) -%}{%- endif -%}
    {%- set made = api.Relation.create(database=database, schema=schema, identifier=identifier, type=type) -%}
    {%- do return([false, made]) -%}
{% endmacro %}

{# Names of 63 bytes at most: the base gives way, never the suffix. #}
{% macro postgres__make_relation_with_suffix(base_relation, suffix, dstring) %}
    {%- if dstring -%}
        {%- set suffix = suffix ~ adapter.unique_suffix() -%}
    {%- endif -%}
    {%- set longest = base_relation.relation_max_name_length() -%}
    {%- if suffix | length > longest -%}
        {%- do exceptions.raise_compiler_error('Relation suffix is too long (' ~ (suffix | length) ~ ' characters). Maximum length is ' ~ longest ~ ' characters.') -%}
    {%- endif -%}
    {%- set identifier = base_relation.identifier[:longest - (suffix | length)] ~ suffix -%}
    {%- do return(base_relation.incorporate(path={'identifier': identifier})) -%}
{% endmacro %}

{% macro make_intermediate_relation(base_relation, suffix='__dbt_tmp') %}
    {{ return(adapter.dispatch('make_intermediate_relation', 'dbt')(base_relation, suffix)) }}
{% endmacro %}

{% macro default__make_intermediate_relation(base_relation, suffix) %}
    {{ return(default__make_temp_relation(base_relation, suffix)) }}
{% endmacro %}

{% macro postgres__make_intermediate_relation(base_relation, suffix) %}
    {{ return(postgres__make_relation_with_suffix(base_relation, suffix, dstring=false)) }}
{% endmacro %}

{% macro make_temp_relation(base_relation, suffix='__dbt_tmp') %}
    {{ return(adapter.dispatch('make_temp_relation', 'dbt')(base_relation, suffix)) }}
{% endmacro %}

{% macro default__make_temp_relation(base_relation, suffix) %}
    {{ return(base_relation.incorporate(path={'identifier': base_relation.identifier ~ suffix})) }}
{% endmacro %}

{# A temporary table lies in no schema that could be named. #}
{% macro postgres__make_temp_relation(base_relation, suffix) %}
    {%- set made = postgres__make_relation_with_suffix(base_relation, suffix, dstring=true) -%}
    {{ return(made.incorporate(path={'schema': none, 'database': none})) }}
{% endmacro %}

{% macro make_backup_relation(base_relation, backup_relation_type, suffix='__dbt_backup') %}
    {{ return(adapter.dispatch('make_backup_relation', 'dbt')(base_relation, backup_relation_type, suffix)) }}
{% endmacro %}

{% macro default__make_backup_relation(base_relation, backup_relation_type, suffix) %}
    {%- set made = base_relation.incorporate(path={'identifier': base_relation.identifier ~ suffix}, type=backup_relation_type) -%}
    {{ return(made) }}
{% endmacro %}

{% macro postgres__make_backup_relation(base_relation, backup_relation_type, suffix) %}
    {%- set made = postgres__make_relation_with_suffix(base_relation, suffix, dstring=false) -%}
    {{ return(made.incorporate(type=backup_relation_type)) }}
{% endmacro %}

{% macro truncate_relation(relation) -%}
    {{ return(adapter.dispatch('truncate_relation', 'dbt')(relation)) }}
{%- endmacro %}

{% macro default__truncate_relation(relation) -%}
    {%- call statement('truncate_relation') -%}
        truncate table {{ relation }}
    {%- endcall -%}
{%- endmacro %}

{# drop: the statement, by kind of relation #}

{% macro get_drop_sql(relation) -%}
    {{- adapter.dispatch('get_drop_sql', 'dbt')(relation) -}}
{%- endmacro %}

{% macro default__get_drop_sql(relation) -%}
    {%- if relation.is_view -%}{{ drop_view(relation) }}
    {%- elif relation.is_table -%}{{ drop_table(relation) }}
    {%- elif relation.is_materialized_view -%}{{ drop_materialized_view(relation) }}
    {%- else -%}drop {{ relation.type }} if exists {{ relation.render() }} cascade
    {%- endif -%}
{%- endmacro %}

{% macro drop_table(relation) -%}{{ return(adapter.dispatch('drop_table', 'dbt')(relation)) }}{%- endmacro %}
{% macro default__drop_table(relation) -%}drop table if exists {{ relation.render() }} cascade{%- endmacro %}

{% macro drop_view(relation) -%}{{ return(adapter.dispatch('drop_view', 'dbt')(relation)) }}{%- endmacro %}
{% macro default__drop_view(relation) -%}drop view if exists {{ relation.render() }} cascade{%- endmacro %}

{% macro drop_materialized_view(relation) -%}
    {{- return(adapter.dispatch('drop_materialized_view', 'dbt')(relation)) -}}
{%- endmacro %}
{% macro default__drop_materialized_view(relation) -%}
    drop materialized view if exists {{ relation.render() }} cascade
{%- endmacro %}

{% macro drop_relation(relation) -%}
    {{ return(adapter.dispatch('drop_relation', 'dbt')(relation)) }}
{%- endmacro %}

{% macro default__drop_relation(relation) -%}
    {%- call statement('drop_relation', auto_begin=false) -%}
        {{ get_drop_sql(relation) }}
    {%- endcall -%}
{%- endmacro %}

{% macro drop_relation_if_exists(relation) %}
    {%- if relation is not none -%}{%- do adapter.drop_relation(relation) -%}{%- endif -%}
{% endmacro %}

{% macro get_drop_backup_sql(relation) -%}
    {{- adapter.dispatch('get_drop_backup_sql', 'dbt')(relation) -}}
{%- endmacro %}

{% macro default__get_drop_backup_sql(relation) -%}
    -- get the standard backup name
    {% set backup = make_backup_relation(relation, relation.type) %}

    {{ get_drop_sql(backup) }}
{%- endmacro %}

{# rename #}

{% macro get_rename_sql(relation, new_name) -%}
    {{- adapter.dispatch('get_rename_sql', 'dbt')(relation, new_name) -}}
{%- endmacro %}

{% macro default__get_rename_sql(relation, new_name) -%}
    {%- if relation.is_view -%}{{ get_rename_view_sql(relation, new_name) }}
    {%- elif relation.is_table -%}{{ get_rename_table_sql(relation, new_name) }}
    {%- elif relation.is_materialized_view -%}{{ get_rename_materialized_view_sql(relation, new_name) }}
    {%- else -%}{%- do exceptions.raise_compiler_error('`get_rename_sql` has not been implemented for: ' ~ relation.type) -%}
    {%- endif -%}
{%- endmacro %}

{% macro get_rename_table_sql(relation, new_name) -%}
    {{- adapter.dispatch('get_rename_table_sql', 'dbt')(relation, new_name) -}}
{%- endmacro %}
{% macro default__get_rename_table_sql(relation, new_name) %}
    alter table {{ relation }} rename to {{ new_name }}
{% endmacro %}

{% macro get_rename_view_sql(relation, new_name) -%}
    {{- adapter.dispatch('get_rename_view_sql', 'dbt')(relation, new_name) -}}
{%- endmacro %}
{% macro default__get_rename_view_sql(relation, new_name) %}
    alter view {{ relation }} rename to {{ new_name }}
{% endmacro %}

{% macro get_rename_materialized_view_sql(relation, new_name) -%}
    {{- adapter.dispatch('get_rename_materialized_view_sql', 'dbt')(relation, new_name) -}}
{%- endmacro %}
{% macro default__get_rename_materialized_view_sql(relation, new_name) %}
    alter materialized view {{ relation }} rename to {{ new_name }}
{% endmacro %}

{% macro get_rename_intermediate_sql(relation) -%}
    {{- adapter.dispatch('get_rename_intermediate_sql', 'dbt')(relation) -}}
{%- endmacro %}

{% macro default__get_rename_intermediate_sql(relation) -%}
    -- get the standard intermediate name
    {% set intermediate = make_intermediate_relation(relation) %}

    {{ get_rename_sql(intermediate, relation.identifier) }}
{%- endmacro %}

{% macro rename_relation(from_relation, to_relation) -%}
    {{ return(adapter.dispatch('rename_relation', 'dbt')(from_relation, to_relation)) }}
{%- endmacro %}

{# `alter table` renames every kind of relation #}
{% macro default__rename_relation(from_relation, to_relation) -%}
    {%- set target_name = adapter.quote_as_configured(to_relation.identifier, 'identifier') -%}
    {%- call statement('rename_relation') -%}
        alter table {{ from_relation.render() }} rename to {{ target_name }}
    {%- endcall -%}
{%- endmacro %}

{# create and replace, by kind of relation #}

{% macro get_create_sql(relation, sql) -%}
    {{- adapter.dispatch('get_create_sql', 'dbt')(relation, sql) -}}
{%- endmacro %}

{% macro default__get_create_sql(relation, sql) -%}
    {%- if relation.is_view -%}{{ get_create_view_as_sql(relation, sql) }}
    {%- elif relation.is_table -%}{{ get_create_table_as_sql(false, relation, sql) }}
    {%- elif relation.is_materialized_view -%}{{ get_create_materialized_view_as_sql(relation, sql) }}
    {%- else -%}{%- do exceptions.raise_compiler_error('`get_create_sql` has not been implemented for: ' ~ relation.type) -%}
    {%- endif -%}
{%- endmacro %}

{% macro get_create_intermediate_sql(relation, sql) -%}
    {{- adapter.dispatch('get_create_intermediate_sql', 'dbt')(relation, sql) -}}
{%- endmacro %}

{# what an interrupted run has left goes first #}
{% macro default__get_create_intermediate_sql(relation, sql) -%}
    -- get the standard intermediate name
    {% set intermediate = make_intermediate_relation(relation) %}

    -- drop any pre-existing intermediate
    {{ get_drop_sql(intermediate) }};

    {{ get_create_sql(intermediate, sql) }}
{%- endmacro %}

{% macro get_create_backup_sql(relation) -%}
    {{- adapter.dispatch('get_create_backup_sql', 'dbt')(relation) -}}
{%- endmacro %}

{% macro default__get_create_backup_sql(relation) -%}
    -- get the standard backup name
    {% set backup = make_backup_relation(relation, relation.type) %}

    -- drop any pre-existing backup
    {{ get_drop_sql(backup) }};

    {{ get_rename_sql(relation, backup.identifier) }}
{%- endmacro %}

{% macro get_replace_sql(existing_relation, target_relation, sql) -%}
    {{- adapter.dispatch('get_replace_sql', 'dbt')(existing_relation, target_relation, sql) -}}
{%- endmacro %}

{# A view takes the place of a view at once; everything else is built aside and swapped, in one text. #}
{% macro default__get_replace_sql(existing_relation, target_relation, sql) %}

    {# these lines stay #}

    {% set at_once = existing_relation.is_view and target_relation.is_view %}

    {% if at_once %}
        {{ get_replace_view_sql(target_relation, sql) }}

    {% else -%}
        {{ get_create_intermediate_sql(target_relation, sql) }};
        {{ get_create_backup_sql(existing_relation) }};
        {{ get_rename_intermediate_sql(target_relation) }};
        {{ get_drop_backup_sql(existing_relation) }}

    {# this line stays #}
    {%- endif -%}

{% endmacro %}
