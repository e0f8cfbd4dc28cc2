"""Compares every relation of two schemas: same names, same columns, same rows (EXCEPT ALL both ways).

Usage: compare_schemas.py SCHEMA SCHEMA. The database is the one models/profiles.yml names by default.
Exits 1 if anything differs, and if there was nothing to compare.
"""

import os
import sys

import psycopg2

RELATIONS = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition order by 1
"""
COLUMNS = """
select a.attname || ' ' || format_type(a.atttypid, a.atttypmod) from pg_attribute a
where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum
"""


def main(left: str, right: str) -> int:
    connection = psycopg2.connect(
        host=os.environ.get("RIDEHAIL_PG_HOST", "127.0.0.1"),
        port=os.environ.get("RIDEHAIL_PG_PORT", "15032"),
        user=os.environ.get("RIDEHAIL_PG_USER", "ridehail"),
        password=os.environ.get("RIDEHAIL_PG_PASSWORD", "ridehail"),
        dbname=os.environ.get("RIDEHAIL_PG_DATABASE", "warehouse"),
    )
    # one snapshot for both sides
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    cursor = connection.cursor()

    def ask(sql, *arguments):
        cursor.execute(sql, arguments)
        return [row[0] for row in cursor.fetchall()]

    names = {schema: ask(RELATIONS, schema) for schema in (left, right)}
    differing = sorted(set(names[left]) ^ set(names[right]))
    for name in differing:
        print(f"only in {left if name in names[left] else right}: {name}")
    common = [name for name in names[left] if name in names[right]]
    for name in common:
        a, b = f'"{left}"."{name}"', f'"{right}"."{name}"'
        rows = ask(f"select count(*) from {a}")[0]
        if ask(COLUMNS, a) != ask(COLUMNS, b):
            problem = f"columns {ask(COLUMNS, a)} | {ask(COLUMNS, b)}"
        else:
            only_a = ask(f"select count(*) from (select * from {a} except all select * from {b}) d")[0]
            only_b = ask(f"select count(*) from (select * from {b} except all select * from {a}) d")[0]
            problem = f"{only_a} rows only in {a}, {only_b} only in {b}" if only_a or only_b else ""
        print(f"{'DIFFERS' if problem else 'equal'}  {name}  {rows} rows  {problem}")
        if problem:
            differing.append(name)
    print(f"{len(common) - len(set(differing) & set(common))} of {len(common)} relations equal")
    return 1 if differing or not common else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
