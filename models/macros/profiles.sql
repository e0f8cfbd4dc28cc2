{#- The latest known value of an attribute in a group of changes: the one that came with the
    highest event sequence. Sequences count the events of one entity, so there are no ties, and a
    late event cannot overwrite a newer one. -#}
{% macro latest(attribute) -%}
    (array_agg({{ attribute }} order by {{ attribute }}_sequence desc)
        filter (where {{ attribute }} is not null))[1] as {{ attribute }},
    max({{ attribute }}_sequence) as {{ attribute }}_sequence
{%- endmacro %}

{#- A column of an event as a change: the value, and the sequence it came with. -#}
{% macro change(attribute) -%}
    {{ attribute }}, case when {{ attribute }} is not null then sequence end as {{ attribute }}_sequence
{%- endmacro %}
