{{ config(dbt_valid_to_current="'9999-12-31'::date", merge_exclude_columns=['b'], sql_header='set a = 1;') }}
{# The same with configuration that they look at. #}
[{{ snapshot_staging_table({'unique_key':'id','updated_at':'u','row_changed':'false','scd_id':'x','hard_deletes':'invalidate'},'select 1',this) }}]
[{{ build_snapshot_table({'unique_key':'id','updated_at':'u','scd_id':'x','row_changed':'f','hard_deletes':'new_record'},'select 1') }}]
[{{ snapshot_merge_sql(this,'src',['a']) }}]
[{{ create_table_as(false,this,'select 1') }}]
[{{ create_view_as(this,'select 1') }}]
[{{ get_replace_view_sql(this,'select 1') }}]
[{{ get_merge_sql(this,'src','id',[api.Column('id','int'),api.Column('b','int')],none) }}]
[{{ get_insert_overwrite_merge_sql(this,'src',[api.Column('id','int')],['p'],true) }}]
