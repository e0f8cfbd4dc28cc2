"""Tables of every type (lake_values.py), one a seed, each with a copy that stays.

Usage: lake_tables.py fill|change|late|clean SCHEMA SEED...

`fill` makes them; `change` adds a column and widens others; `late` adds rows that come after their days have left;
`clean` forgets them, their ledger and their catalog.
"""

import os
import sys
from collections.abc import Iterable
from datetime import date, timedelta
from random import Random

import psycopg

from lake_sql import ask_trino
from lake_values import CHANGED, COLUMNS, DAYS, FIRST, HOT, KEY, Column, row

ROWS = int(os.environ.get("READERS_ROWS", "300"))  # a day


def connect() -> psycopg.Connection:
    return psycopg.connect(os.environ["RIDEHAIL_DATABASE_URL"], options="-c timezone=UTC -c client_min_messages=warning", autocommit=True)


def quoted(column: Column) -> str:
    return f'"{column.name}"'


def copy_in(cursor: psycopg.Cursor, table: str, columns: list[Column], rows: Iterable[list[str | None]]) -> None:
    names = ", ".join(quoted(column) for column in columns)
    with cursor.copy(f"copy {table} ({names}) from stdin") as copy:
        for values in rows:
            copy.write_row(values)


def fill(cursor: psycopg.Cursor, schema: str, table: str, seed: int) -> None:
    first = [column for column in COLUMNS if column not in CHANGED or column.name in FIRST]
    declared = ", ".join(f"{quoted(c)} {FIRST.get(c.name, c.postgres)}" for c in first)
    cursor.execute(f"""
        create table {table} (at timestamptz not null, seq bigint not null, {declared}, primary key (at, seq))
            partition by range (at)""")
    r = Random(seed)
    for day in [*DAYS, HOT]:
        cursor.execute(f"""
            create table {table}_{day:%Y%m%d} partition of {table}
                for values from ('{day} 00:00+00') to ('{day + timedelta(days=1)} 00:00+00')""")
        copy_in(cursor, table, KEY + first, (row(first, r, day, seq) for seq in range(ROWS)))
    cursor.execute(f"create table {table}_was as select * from {table}")


def change(cursor: psycopg.Cursor, schema: str, table: str, seed: int) -> None:
    changes = [f"alter {c.name} type {c.postgres}" if c.name in FIRST else f"add {c.name} {c.postgres}" for c in CHANGED]
    for name in (table, table + "_was"):
        cursor.execute(f"alter table {name} {', '.join(changes)}")


def late(cursor: psycopg.Cursor, schema: str, table: str, seed: int) -> None:
    """As the landing routes them."""
    r = Random(-seed)
    rows = (row(COLUMNS, r, day, 10**6 + seq) for day in DAYS for seq in range(ROWS // 10 + 1))
    cursor.execute(f"create temporary table new (like {table})")
    copy_in(cursor, "new", KEY + COLUMNS, rows)
    names = ", ".join(quoted(column) for column in KEY + COLUMNS)
    cursor.execute(f"insert into {table}_was ({names}) select {names} from new")
    cursor.execute(f"""
        insert into lake.late_{schema}_{table} ({names}, ridehail_flush, ridehail_suspect)
        select {names}, (select open_flush from lake.boundaries where (table_schema, table_name) = ('{schema}', '{table}')), false
        from new""")
    cursor.execute("drop table new")


def clean(cursor: psycopg.Cursor, schema: str, table: str, seed: int) -> None:
    cursor.execute("select view_name from lake.tables where (table_schema, table_name) = (%s, %s)", (schema, table))
    for (view,) in cursor.fetchall():
        ask_trino(f'drop view if exists lake_admin.history."{view}"')
    cursor.execute(f"""
        drop schema if exists {schema} cascade;
        drop function if exists lake.net_late_{schema}_{table} cascade;
        drop table if exists lake.late_{schema}_{table};
        delete from lake.files where move_id in (select move_id from lake.moves where table_schema = '{schema}');
        delete from lake.moves where table_schema = '{schema}';
        delete from lake.tables where table_schema = '{schema}';
        delete from lake.boundaries where table_schema = '{schema}';
        delete from lake_catalog.iceberg_tables where table_namespace = '{schema}';
        delete from lake_catalog.iceberg_namespace_properties where namespace = '{schema}'""")


STEPS = {step.__name__: step for step in (fill, change, late, clean)}


def main(step: str, schema: str, *seeds: str) -> None:
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"create schema if not exists {schema}; set search_path = {schema}")
        if step == "fill":
            cursor.execute("create type mood as enum ('sad', 'happy', 'so so')")
        for seed in seeds:
            STEPS[step](cursor, schema, f"rows_{seed}", int(seed))


if __name__ == "__main__":
    main(*sys.argv[1:])
