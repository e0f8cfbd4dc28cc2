-- What a build leaves in the database, as one document; rows are asked for one relation at a time.
-- Names that dbt makes of a hash and the time (indexes) are left out of definitions.
select coalesce(json_agg(json_build_object(
    'name', n.nspname || '.' || c.relname,
    'kind', c.relkind,
    'persistence', c.relpersistence,
    'comment', obj_description(c.oid, 'pg_class'),
    'columns', (
        select json_agg(
            a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
            || case when a.attnotnull then ' not null' else '' end
            || coalesce(' -- ' || col_description(c.oid, a.attnum), '') order by a.attnum)
        from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
    'constraints', (
        select json_agg(pg_get_constraintdef(k.oid) order by pg_get_constraintdef(k.oid))
        from pg_constraint k where k.conrelid = c.oid and k.contype <> 'n'),
    'indexes', (
        select json_agg(regexp_replace(pg_get_indexdef(i.indexrelid), 'INDEX \S+ ON', 'INDEX ON')
                        order by regexp_replace(pg_get_indexdef(i.indexrelid), 'INDEX \S+ ON', 'INDEX ON'))
        from pg_index i where i.indrelid = c.oid),
    'grants', (
        select json_agg(distinct g.grantee::regrole || ' ' || lower(g.privilege_type))
        from aclexplode(c.relacl) g where g.grantee <> c.relowner and g.grantee <> 0)
) order by n.nspname, c.relname), '[]')::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm') and n.nspname !~ '^(pg_|information_schema$|ridehail$|_sqlx)'
