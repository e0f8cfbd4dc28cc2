{% set x = run_query("select 1") %}{% call statement("q") %}select 1{% endcall %} select {{ rq() }} as a
