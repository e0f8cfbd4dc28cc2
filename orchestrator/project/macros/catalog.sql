{# What the database tells of itself, for macros that ask: catalogs, what stands on what, freshness. #}

{% macro get_catalog(information_schema, schemas) -%}
    {{ return(adapter.dispatch('get_catalog', 'dbt')(information_schema, schemas)) }}
{%- endmacro %}

{% macro postgres__get_catalog(information_schema, schemas) -%}
    {%- set relations = [] -%}
    {%- for schema in schemas -%}
        {%- do relations.append({'schema': schema}) -%}
    {%- endfor -%}
    {%- do return(postgres__get_catalog_relations(information_schema, relations)) -%}
{%- endmacro %}

{% macro get_catalog_relations(information_schema, relations) -%}
    {{ return(adapter.dispatch('get_catalog_relations', 'dbt')(information_schema, relations)) }}
{%- endmacro %}

{# A row a column; of relations without a name, whatever their schema holds. #}
{% macro postgres__get_catalog_relations(information_schema, relations) -%}
    {%- set wanted = [] -%}
    {%- for relation in relations -%}
        {%- set schema = "upper(n.nspname) = upper('" ~ relation.schema ~ "')" -%}
        {%- set name = " and upper(c.relname) = upper('" ~ relation.identifier ~ "')" if relation.identifier else '' -%}
        {%- do wanted.append('(' ~ schema ~ name ~ ')') -%}
    {%- endfor -%}
    {%- do adapter.verify_database(information_schema.database) -%}
    {%- call statement('catalog', fetch_result=true) -%}
        select '{{ information_schema.database }}' as table_database,
            n.nspname as table_schema,
            c.relname as table_name,
            case c.relkind when 'v' then 'VIEW' when 'm' then 'MATERIALIZED VIEW' else 'BASE TABLE' end as table_type,
            obj_description(c.oid, 'pg_class') as table_comment,
            a.attname as column_name,
            a.attnum as column_index,
            format_type(a.atttypid, a.atttypmod) as column_type,
            col_description(c.oid, a.attnum) as column_comment,
            pg_get_userbyid(c.relowner) as table_owner
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relkind in ('r', 'v', 'f', 'p', 'm') and c.relpersistence in ('p', 'u')
            and not pg_is_other_temp_schema(n.oid)
            and ({{ wanted | join(' or ') }})
        order by n.nspname, c.relname, a.attnum
    {%- endcall -%}
    {%- do return(load_result('catalog').table) -%}
{%- endmacro %}

{% macro get_relations() %}
    {{ return(adapter.dispatch('get_relations', 'dbt')()) }}
{% endmacro %}

{# Which view stands on what: its rule depends on it. #}
{% macro postgres__get_relations() -%}
    {%- call statement('relations', fetch_result=true) -%}
        select distinct vn.nspname as dependent_schema, v.relname as dependent_name,
            rn.nspname as referenced_schema, r.relname as referenced_name
        from pg_rewrite w
        join pg_class v on v.oid = w.ev_class
        join pg_namespace vn on vn.oid = v.relnamespace
        join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
            and d.refclassid = 'pg_class'::regclass and d.refobjid <> v.oid
        join pg_class r on r.oid = d.refobjid
        join pg_namespace rn on rn.oid = r.relnamespace
            and rn.nspname <> 'information_schema' and rn.nspname not like 'pg\_%'
        order by 1, 2, 3, 4
    {%- endcall -%}
    {%- do return(load_result('relations').table) -%}
{% endmacro %}

{% macro postgres_get_relations() %}
    {{ return(postgres__get_relations()) }}
{% endmacro %}

{% macro get_relation_last_modified(information_schema, relations) %}
    {{ return(adapter.dispatch('get_relation_last_modified', 'dbt')(information_schema, relations)) }}
{% endmacro %}

{% macro default__get_relation_last_modified(information_schema, relations) %}
    {%- do exceptions.raise_not_implemented('get_relation_last_modified macro not implemented for adapter ' ~ adapter.type()) -%}
{% endmacro %}

{% macro get_catalog_for_single_relation(relation) %}
    {{ return(adapter.dispatch('get_catalog_for_single_relation', 'dbt')(relation)) }}
{% endmacro %}

{% macro default__get_catalog_for_single_relation(relation) %}
    {%- do exceptions.raise_not_implemented('get_catalog_for_single_relation macro not implemented for adapter ' ~ adapter.type()) -%}
{% endmacro %}

{% macro collect_freshness(source, loaded_at_field, filter) %}
    {{ return(adapter.dispatch('collect_freshness', 'dbt')(source, loaded_at_field, filter)) }}
{% endmacro %}

{% macro default__collect_freshness(source, loaded_at_field, filter) %}
    {%- call statement('collect_freshness', fetch_result=true, auto_begin=false) -%}
        select max({{ loaded_at_field }}) as max_loaded_at, {{ current_timestamp() }} as snapshotted_at
        from {{ source }}
        {% if filter %}where {{ filter }}{% endif %}
    {%- endcall -%}
    {%- do return(load_result('collect_freshness')) -%}
{% endmacro %}

{% macro collect_freshness_custom_sql(source, loaded_at_query) %}
    {{ return(adapter.dispatch('collect_freshness_custom_sql', 'dbt')(source, loaded_at_query)) }}
{% endmacro %}

{% macro default__collect_freshness_custom_sql(source, loaded_at_query) %}
    {%- call statement('collect_freshness_custom_sql', fetch_result=true, auto_begin=false) -%}
        with source_query as (
            {{ loaded_at_query }}
        )
        select (select * from source_query) as max_loaded_at, {{ current_timestamp() }} as snapshotted_at
    {%- endcall -%}
    {%- do return(load_result('collect_freshness_custom_sql')) -%}
{% endmacro %}

{% macro validate_sql(sql) -%}
    {{ return(adapter.dispatch('validate_sql', 'dbt')(sql)) }}
{% endmacro %}

{% macro default__validate_sql(sql) -%}
    {%- call statement('validate_sql') -%}
        explain {{ sql }}
    {%- endcall -%}
    {%- do return(load_result('validate_sql')) -%}
{% endmacro %}

{% macro drop_schema_named(schema_name) %}
    {{ return(adapter.dispatch('drop_schema_named', 'dbt')(schema_name)) }}
{% endmacro %}

{% macro default__drop_schema_named(schema_name) %}
    {%- do adapter.drop_schema(api.Relation.create(schema=schema_name)) -%}
{% endmacro %}
