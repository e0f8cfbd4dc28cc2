{# Dates and times, for SQL that is to run on several databases. Here and in the like files, the blanks and line
   breaks of what is rendered are part of it: compiled code is compared, and errors name its lines. #}

{% macro current_timestamp() -%}
    {{ return(adapter.dispatch('current_timestamp', 'dbt')()) }}
{%- endmacro %}

{% macro postgres__current_timestamp() -%}
    now()
{%- endmacro %}

{% macro current_timestamp_backcompat() -%}
    {{ return(adapter.dispatch('current_timestamp_backcompat', 'dbt')()) }}
{%- endmacro %}

{% macro postgres__current_timestamp_backcompat() %}
    current_timestamp::{{ type_timestamp() }}
{% endmacro %}

{% macro current_timestamp_in_utc_backcompat() -%}
    {{ return(adapter.dispatch('current_timestamp_in_utc_backcompat', 'dbt')()) }}
{%- endmacro %}

{% macro postgres__current_timestamp_in_utc_backcompat() %}
    (current_timestamp at time zone 'utc')::{{ type_timestamp() }}
{% endmacro %}

{% macro snapshot_get_time() -%}
    {{ return(adapter.dispatch('snapshot_get_time', 'dbt')()) }}
{%- endmacro %}

{% macro postgres__snapshot_get_time() -%}
    {{ current_timestamp() }}::timestamp without time zone
{%- endmacro %}

{% macro snapshot_string_as_time(timestamp) -%}
    {{ return(adapter.dispatch('snapshot_string_as_time', 'dbt')(timestamp)) }}
{%- endmacro %}

{% macro postgres__snapshot_string_as_time(timestamp) -%}
    {{ return("'" ~ timestamp ~ "'::timestamp without time zone") }}
{%- endmacro %}

{% macro date(year, month, day) -%}
    {{ return(adapter.dispatch('date', 'dbt')(year, month, day)) }}
{%- endmacro %}

{% macro default__date(year, month, day) -%}
    to_date('{{ modules.datetime.date(year, month, day).strftime('%Y-%m-%d') }}', 'YYYY-MM-DD')
{%- endmacro %}

{% macro date_trunc(datepart, date) -%}
    {{ return(adapter.dispatch('date_trunc', 'dbt')(datepart, date)) }}
{%- endmacro %}

{% macro default__date_trunc(datepart, date) -%}
    date_trunc('{{ datepart }}', {{ date }})
{%- endmacro %}

{% macro dateadd(datepart, interval, from_date_or_timestamp) -%}
    {{ return(adapter.dispatch('dateadd', 'dbt')(datepart, interval, from_date_or_timestamp)) }}
{%- endmacro %}

{% macro postgres__dateadd(datepart, interval, from_date_or_timestamp) %}

    {{ from_date_or_timestamp }} + ((interval '1 {{ datepart }}') * ({{ interval }}))

{% endmacro %}

{% macro datediff(first_date, second_date, datepart) -%}
    {{ return(adapter.dispatch('datediff', 'dbt')(first_date, second_date, datepart)) }}
{%- endmacro %}

{# Boundaries that are crossed, as other databases count: each part from the next larger one. Each has lines of its
   own, also inside another. #}
{% macro postgres__datediff(first_date, second_date, datepart) -%}
    {%- set of_date = {'year': none, 'quarter': ('year', 4), 'month': ('year', 12)} -%}
    {%- set of_time = {'hour': ('day', 24), 'minute': ('hour', 60)} -%}
    {%- set of_fraction = {'second': 60, 'millisecond': 60000, 'microsecond': 60000000} -%}
    {%- if datepart == 'day' %}
        (({{ second_date }})::date - ({{ first_date }})::date)
    {% elif datepart == 'year' %}
        (date_part('year', ({{ second_date }})::date) - date_part('year', ({{ first_date }})::date))
    {% elif datepart in of_date -%}
        {%- set larger, count = of_date[datepart] %}
        ({{ datediff(first_date, second_date, larger) }} * {{ count }} + date_part('{{ datepart }}', ({{ second_date }})::date) - date_part('{{ datepart }}', ({{ first_date }})::date))
    {% elif datepart == 'week' %}
        ({{ datediff(first_date, second_date, 'day') }} / 7 + case
            when date_part('dow', ({{ first_date }})::timestamp) <= date_part('dow', ({{ second_date }})::timestamp) then
                case when {{ first_date }} <= {{ second_date }} then 0 else -1 end
            else
                case when {{ first_date }} <= {{ second_date }} then 1 else 0 end
        end)
    {% elif datepart in of_time -%}
        {%- set larger, count = of_time[datepart] %}
        ({{ datediff(first_date, second_date, larger) }} * {{ count }} + date_part('{{ datepart }}', ({{ second_date }})::timestamp) - date_part('{{ datepart }}', ({{ first_date }})::timestamp))
    {% elif datepart in of_fraction %}
        ({{ datediff(first_date, second_date, 'minute') }} * {{ of_fraction[datepart] }} + floor(date_part('{{ datepart }}', ({{ second_date }})::timestamp)) - floor(date_part('{{ datepart }}', ({{ first_date }})::timestamp)))
    {% else %}
        {{ exceptions.raise_compiler_error("Unsupported datepart for macro datediff in postgres: {!r}".format(datepart)) }}
    {% endif %}
{%- endmacro %}

{% macro last_day(date, datepart) -%}
    {{ return(adapter.dispatch('last_day', 'dbt')(date, datepart)) }}
{%- endmacro %}

{% macro default_last_day(date, datepart) -%}
    {{ return(_last_day(date, datepart, datepart, '1')) }}
{%- endmacro %}

{% macro default__last_day(date, datepart) -%}
    {{ return(_last_day(date, datepart, datepart, '1')) }}
{%- endmacro %}

{# There is no interval of a quarter. #}
{% macro postgres__last_day(date, datepart) -%}
    {%- if datepart == 'quarter' -%}
    -- postgres dateadd does not support quarter interval.
    {{ _last_day(date, datepart, 'month', '3') }}
    {%- else -%}
    {{ dbt.default_last_day(date, datepart) }}
    {%- endif -%}
{%- endmacro %}

{% macro _last_day(date, datepart, step, steps) -%}
    cast(
        {{ dbt.dateadd('day', '-1', dbt.dateadd(step, steps, dbt.date_trunc(datepart, date))) }}
        as date)
{%- endmacro %}

{% macro get_intervals_between(start_date, end_date, datepart) -%}
    {{ return(adapter.dispatch('get_intervals_between', 'dbt')(start_date, end_date, datepart)) }}
{%- endmacro %}

{% macro default__get_intervals_between(start_date, end_date, datepart) -%}
    {%- if not execute -%}{{ return(1) }}{%- endif -%}
    {%- set found = run_query('select ' ~ dbt.datediff(start_date, end_date, datepart)) -%}
    {{ return(found.columns[0].values()[0]) }}
{%- endmacro %}

{% macro date_spine(datepart, start_date, end_date) -%}
    {{ return(adapter.dispatch('date_spine', 'dbt')(datepart, start_date, end_date)) }}
{%- endmacro %}

{% macro default__date_spine(datepart, start_date, end_date) %}


    {{ '' }}


    with rawdata as (

        {{ dbt.generate_series(dbt.get_intervals_between(start_date, end_date, datepart)) }}

    ),

    all_periods as (

        select (
            {{ dbt.dateadd(datepart, "row_number() over (order by 1) - 1", start_date) }}
        ) as date_{{ datepart }}
        from rawdata

    ),

    filtered as (

        select *
        from all_periods
        where date_{{ datepart }} <= {{ end_date }}

    )

    select * from filtered

{% endmacro %}

{% macro convert_datetime(date_str, date_fmt) %}
  {% set message = "The provided partition date '" ~ date_str ~ "' does not match the expected format '" ~ date_fmt ~ "'" %}
  {{ return(try_or_compiler_error(message, modules.datetime.datetime.strptime, date_str.strip(), date_fmt)) }}
{% endmacro %}

{% macro dates_in_range(start_date_str, end_date_str=none, in_fmt="%Y%m%d", out_fmt="%Y%m%d") %}
  {% set first = convert_datetime(start_date_str, in_fmt) %}
  {% set last = first if end_date_str is none else convert_datetime(end_date_str, in_fmt) %}
  {% set days = (last - first).days %}
  {% if days < 0 %}
    {{ exceptions.raise_compiler_error("Partition start date is after the end date (" ~ first ~ ", " ~ last ~ ")", model) }}
  {% endif %}
  {% set found = [] %}
  {% for passed in range(0, days + 1) %}
    {% set day = first + modules.datetime.timedelta(days=passed) %}
    {% do found.append(day.strftime(out_fmt) if out_fmt else day) %}
  {% endfor %}
  {{ return(found) }}
{% endmacro %}

{% macro partition_range(raw_partition_date, date_fmt='%Y%m%d') %}
  {% set parts = (raw_partition_date | string).split(",") %}
  {% if parts | length > 2 %}
    {{ exceptions.raise_compiler_error("Invalid partition time. Expected format: {Start Date}[,{End Date}]. Got: " ~ raw_partition_date) }}
  {% endif %}
  {{ return(dates_in_range(parts[0], parts[1] if parts | length == 2 else none, in_fmt=date_fmt)) }}
{% endmacro %}

{% macro py_current_timestring() %}
  {{ return(modules.datetime.datetime.now().strftime("%Y%m%d%H%M%S%f")) }}
{% endmacro %}
