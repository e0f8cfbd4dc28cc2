{{ config(group='one_group') }}
{% call statement('x', fetch_result=true) %}select {{ m1() }}{% endcall %}
{% set found = run_query('select ' ~ m2()) %}
{% call around() %}select {{ rq() }} as a{% endcall %}
