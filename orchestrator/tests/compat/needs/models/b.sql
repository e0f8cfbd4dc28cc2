{% if execute %}{% do run_query("select 1") %}{% endif %} select {{ var("w") }} as a
