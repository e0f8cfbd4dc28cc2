{% set q %}select 1.50::numeric as n, 2 as i, 0.1::float8 as f, 'x' as t, date '2024-01-02' as d, timestamp '2024-01-02 03:04:05.6' as ts, true as b, null as z, interval '1 day 2 hours' as iv, 1e20::float8 as big
union all select 20.00, 3, 1e-7, 'a long text that goes beyond the end', null, null, false, null, interval '-1 mon', 1.5{% endset %}
{% if execute %}{% set r = run_query(q) %}
select '{{ r.columns[0].values() }}' as a, {{ r.columns['n'].values() | sum }} as s, '{{ r.rows[0] | string | replace("'", "''") }}' as row0, {{ r.columns[0][0] * 2 }} as d, '{{ r.columns[0] | string | replace("'", "") }}' as c, '{{ r.columns[8].values() | string | replace("'", "") }}' as iv,
{% for row in r.rows %}{{ row.n }} + {{ row[2] }} + {{ row.big }} + {{ row['n'] / row['i'] }} {{ "," if not loop.last }}{% endfor %} as x,
 '{{ r.column_types | length }}{{ r.rows[0].items() | string | replace("'", "") | truncate(60) }}' as ct
{% if r.rows[0].n > 1 %}, 'more'{% endif %}{% if r.columns.n.values() | max == 20 %}, 'max'{% endif %} as m
{% else %}select 1 as a{% endif %}
