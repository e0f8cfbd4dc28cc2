{# view and table as templates. The engine builds them itself, more gently for readers, unless a project replaces one of
   the macros they are made of or a contract is enforced: then these run. Names and order are those packages rely on. #}

{% materialization view, default %}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set intermediate_relation = make_intermediate_relation(target_relation) -%}
    {%- set backup_relation = make_backup_relation(target_relation, 'view' if existing_relation is none else existing_relation.type) -%}
    {%- do run_hooks(pre_hooks, inside_transaction=false) -%}
    {%- do drop_relation_if_exists(load_cached_relation(intermediate_relation)) -%}
    {%- do drop_relation_if_exists(load_cached_relation(backup_relation)) -%}
    {%- do run_hooks(pre_hooks, inside_transaction=true) -%}
    {%- call statement('main') -%}
        {{ get_create_view_as_sql(intermediate_relation, sql) }}
    {%- endcall -%}
    {%- if existing_relation is not none -%}
        {%- do adapter.rename_relation(existing_relation, backup_relation) -%}
    {%- endif -%}
    {%- do adapter.rename_relation(intermediate_relation, target_relation) -%}
    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing_relation, full_refresh_mode=true)) -%}
    {%- do persist_docs(target_relation, model) -%}
    {%- do run_hooks(post_hooks, inside_transaction=true) -%}
    {%- do adapter.commit() -%}
    {%- if existing_relation is not none -%}{%- do drop_relation_if_exists(backup_relation) -%}{%- endif -%}
    {%- do adapter.commit() -%}
    {%- do run_hooks(post_hooks, inside_transaction=false) -%}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% materialization table, default %}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set intermediate_relation = make_intermediate_relation(target_relation) -%}
    {%- set backup_relation = make_backup_relation(target_relation, 'table' if existing_relation is none else existing_relation.type) -%}
    {%- do drop_relation_if_exists(load_cached_relation(intermediate_relation)) -%}
    {%- do drop_relation_if_exists(load_cached_relation(backup_relation)) -%}
    {%- do run_hooks(pre_hooks, inside_transaction=false) -%}
    {%- do run_hooks(pre_hooks, inside_transaction=true) -%}
    {%- call statement('main') -%}
        {{ get_create_table_as_sql(false, intermediate_relation, sql) }}
    {%- endcall -%}
    {%- do create_indexes(intermediate_relation) -%}
    {%- if existing_relation is not none -%}
        {%- do adapter.rename_relation(existing_relation, backup_relation) -%}
    {%- endif -%}
    {%- do adapter.rename_relation(intermediate_relation, target_relation) -%}
    {%- do run_hooks(post_hooks, inside_transaction=true) -%}
    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing_relation, full_refresh_mode=true)) -%}
    {%- do persist_docs(target_relation, model) -%}
    {%- do adapter.commit() -%}
    {%- if existing_relation is not none -%}{%- do drop_relation_if_exists(backup_relation) -%}{%- endif -%}
    {%- do adapter.commit() -%}
    {%- do run_hooks(post_hooks, inside_transaction=false) -%}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{# clone: what another environment has, seen from this one. Postgres copies no table without its rows: a view. #}

{% macro can_clone_table() %}{{ return(adapter.dispatch('can_clone_table', 'dbt')()) }}{% endmacro %}
{% macro default__can_clone_table() %}{{ return(false) }}{% endmacro %}

{% macro create_or_replace_clone(this_relation, defer_relation) %}
    {{ return(adapter.dispatch('create_or_replace_clone', 'dbt')(this_relation, defer_relation)) }}
{% endmacro %}

{% macro default__create_or_replace_clone(this_relation, defer_relation) %}
    create or replace table {{ this_relation.render() }} clone {{ defer_relation.render() }}
{% endmacro %}

{% materialization clone, default %}
    {%- if not defer_relation -%}
        {%- do log('No relation found in state manifest for ' ~ model.unique_id, info=true) -%}
        {{ return({'relations': []}) }}
    {%- endif -%}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- if existing_relation and not flags.FULL_REFRESH -%}
        {%- do log('Relation ' ~ existing_relation ~ ' already exists', info=true) -%}
        {{ return({'relations': []}) }}
    {%- endif -%}
    {%- set other = load_cached_relation(defer_relation) -%}
    {%- if other and other.type == 'table' and can_clone_table() -%}
        {%- set target_relation = this.incorporate(type='table') -%}
        {%- if existing_relation is not none and not existing_relation.is_table -%}
            {%- do drop_relation_if_exists(existing_relation) -%}
        {%- endif -%}
        {%- call statement('main') -%}{{ create_or_replace_clone(target_relation, defer_relation) }}{%- endcall -%}
        {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing_relation, full_refresh_mode=true)) -%}
        {%- do persist_docs(target_relation, model) -%}
        {%- do adapter.commit() -%}
        {{ return({'relations': [target_relation]}) }}
    {%- endif -%}
    {%- set search_name = 'materialization_view_' ~ adapter.type() -%}
    {%- if search_name not in context -%}{%- set search_name = 'materialization_view_default' -%}{%- endif -%}
    {%- set build = context[search_name] -%}
    {{ return(build()) }}
{% endmaterialization %}
