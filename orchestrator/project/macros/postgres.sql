{# What dbt's macros for Postgres do and those for every database do not: here the latter are written for Postgres.
   They have these names, too, as projects call them, and as dispatch prefers them to a project's `default__`. #}

{% macro postgres__alter_column_comment(relation, column_dict) -%}{{ return(dbt.default__alter_column_comment(relation, column_dict)) }}{%- endmacro %}

{% macro postgres__alter_relation_comment(relation, comment) -%}{{ return(dbt.default__alter_relation_comment(relation, comment)) }}{%- endmacro %}

{% macro postgres__check_schema_exists(information_schema, schema) -%}{{ return(dbt.default__check_schema_exists(information_schema, schema)) }}{%- endmacro %}

{% macro postgres__copy_grants() -%}{{ return(dbt.default__copy_grants()) }}{%- endmacro %}

{% macro postgres__create_schema(relation) -%}{{ return(dbt.default__create_schema(relation)) }}{%- endmacro %}

{% macro postgres__drop_schema(relation) -%}{{ return(dbt.default__drop_schema(relation)) }}{%- endmacro %}

{% macro postgres__drop_materialized_view(relation) -%}{{ return(dbt.default__drop_materialized_view(relation)) }}{%- endmacro %}

{% macro postgres__drop_table(relation) -%}{{ return(dbt.default__drop_table(relation)) }}{%- endmacro %}

{% macro postgres__drop_view(relation) -%}{{ return(dbt.default__drop_view(relation)) }}{%- endmacro %}

{% macro postgres__get_alter_materialized_view_as_sql(relation, configuration_changes, sql, existing_relation, backup_relation, intermediate_relation) -%}{{ return(dbt.default__get_alter_materialized_view_as_sql(relation, configuration_changes, sql, existing_relation, backup_relation, intermediate_relation)) }}{%- endmacro %}

{% macro postgres__get_columns_in_relation(relation) -%}{{ return(dbt.default__get_columns_in_relation(relation)) }}{%- endmacro %}

{% macro postgres__get_create_materialized_view_as_sql(relation, sql) -%}{{ return(dbt.default__get_create_materialized_view_as_sql(relation, sql)) }}{%- endmacro %}

{% macro postgres__get_drop_index_sql(relation, index_name) -%}{{ return(dbt.default__get_drop_index_sql(relation, index_name)) }}{%- endmacro %}

{% macro postgres__get_incremental_microbatch_sql(arg_dict) -%}{{ return(dbt.default__get_incremental_microbatch_sql(arg_dict)) }}{%- endmacro %}

{% macro postgres__get_materialized_view_configuration_changes(existing_relation, new_config) -%}{{ return(dbt.default__get_materialized_view_configuration_changes(existing_relation, new_config)) }}{%- endmacro %}

{% macro postgres__get_rename_materialized_view_sql(relation, new_name) -%}{{ return(dbt.default__get_rename_materialized_view_sql(relation, new_name)) }}{%- endmacro %}

{% macro postgres__get_rename_table_sql(relation, new_name) -%}{{ return(dbt.default__get_rename_table_sql(relation, new_name)) }}{%- endmacro %}

{% macro postgres__get_rename_view_sql(relation, new_name) -%}{{ return(dbt.default__get_rename_view_sql(relation, new_name)) }}{%- endmacro %}

{% macro postgres__get_replace_view_sql(relation, sql) -%}{{ return(dbt.default__get_replace_view_sql(relation, sql)) }}{%- endmacro %}

{% macro postgres__get_show_grant_sql(relation) -%}{{ return(dbt.default__get_show_grant_sql(relation)) }}{%- endmacro %}

{% macro postgres__get_show_indexes_sql(relation) -%}{{ return(dbt.default__get_show_indexes_sql(relation)) }}{%- endmacro %}

{% macro postgres__information_schema_name(database) -%}{{ return(dbt.default__information_schema_name(database)) }}{%- endmacro %}

{% macro postgres__list_relations_without_caching(schema_relation) -%}{{ return(dbt.default__list_relations_without_caching(schema_relation)) }}{%- endmacro %}

{% macro postgres__list_schemas(database) -%}{{ return(dbt.default__list_schemas(database)) }}{%- endmacro %}

{% macro postgres__refresh_materialized_view(relation) -%}{{ return(dbt.default__refresh_materialized_view(relation)) }}{%- endmacro %}
