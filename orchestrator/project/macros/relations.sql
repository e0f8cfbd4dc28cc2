{# The catalog, as macros of packages call it. #}

{% macro load_relation(relation) %}
    {%- do return(adapter.get_relation(relation.database, relation.schema, relation.identifier)) -%}
{% endmacro %}

{% macro load_cached_relation(relation) %}
    {%- do return(load_relation(relation)) -%}
{% endmacro %}

{% macro get_columns_in_relation(relation) %}
    {%- do return(adapter.get_columns_in_relation(relation)) -%}
{% endmacro %}
