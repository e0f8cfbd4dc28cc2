{#-
  Days that have left.

  Old days of landing tables, staging and facts move to an archive (`archive` in their `meta`).
  `lake.boundaries` says from where on a table is whole; it only ever grows. What is before that is
  final: no model changes it, and none computes a row anew from what is left of its inputs.
-#}

{#- SQL of the first instant (timestamptz) that has not left any of `relations`; -infinity if
    nothing has. A subquery, not a constant: so it is as old as the rows the statement reads, and a
    day cannot leave between the two. -#}
{% macro archive_boundary(relations) -%}
{%- set archives = adapter.get_relation(database=target.database, schema='lake', identifier='boundaries') if execute else none -%}
{%- if archives is none -%}
    '-infinity'::timestamptz
{%- else -%}
    coalesce((
        select max(boundaries.boundary)
        from lake.boundaries as boundaries
        where (boundaries.table_schema, boundaries.table_name) in (
            {%- for relation in relations %}('{{ relation.schema }}', '{{ relation.identifier }}'){% if not loop.last %}, {% endif %}{% endfor -%}
        )
    ), '-infinity')
{%- endif -%}
{%- endmacro %}


{#- SQL of the first period (a timestamp in UTC) that a mart may still compute: all facts of it are
    in Postgres. Work that began before a day counts on it too, so days soon after the boundary of
    the intervals are final as well. -#}
{% macro first_whole_period() -%}
    greatest(
        {{ archive_boundary([ref('fct_rides'), ref('fct_fare_adjustments')]) }} at time zone 'UTC',
        {{ archive_boundary([ref('fct_driver_status_intervals')]) }} at time zone 'UTC' + interval '{{ var("interval_days") }} days'
    )
{%- endmacro %}


{#- Refuses to rebuild the model from `inputs` of which days have left: it would forget them.
    Renders to nothing. -#}
{% macro keep_history(inputs) -%}
{%- if execute and not is_incremental() and adapter.get_relation(database=this.database, schema=this.schema, identifier=this.identifier) is not none -%}
    {%- set boundary = run_query('select ' ~ archive_boundary(inputs) ~ '::text').rows[0][0] -%}
    {%- if boundary != '-infinity' -%}
        {{ exceptions.raise_compiler_error(
            this.identifier ~ ' cannot be rebuilt: its inputs have lost their days before ' ~ boundary ~ ' to the archive.\n'
            ~ 'hint: run it without --full-refresh. To change its columns, add them with `alter table`, or build a new model beside it.'
        ) }}
    {%- endif -%}
{%- endif -%}
{%- endmacro %}
