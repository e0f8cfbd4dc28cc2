"""Reads what the archive wrote with a reader that shares no code with it, and compares.

Usage: lake_reader.py fill|change|late|compare|clean SCHEMA SEED...

`fill` makes one table a seed, of every type (lake_values.py), and keeps a copy of it; `change` adds a column and widens
others; `late` adds rows that come after their days have left. `compare` asks three witnesses for the same facts of each day and
column: Postgres about the copy, pyiceberg about the files, Trino about the table and the view. Each turns values into
texts with code of its own. At last the copy is changed a little, which must show.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal, localcontext
from hashlib import md5
from random import Random
from typing import NamedTuple

import psycopg
import pyarrow as pa
import pyarrow.parquet as parquet

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.conversions import from_bytes
from pyiceberg.expressions import And, GreaterThanOrEqual, LessThan
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.types import (
    BinaryType, BooleanType, DateType, DecimalType, DoubleType, FloatType, IcebergType, IntegerType, ListType, LongType,
    PrimitiveType, StringType, TimestamptzType, TimestampType, TimeType,
)

from lake_values import CHANGED, COLUMNS, FIRST, KEY, Column, row

DAYS = [date(2026, 1, 1) + timedelta(days=n) for n in range(3)]
HOT = date(2026, 1, 4)  # stays in Postgres
ROWS = int(os.environ.get("READERS_ROWS", "300"))  # a day
ALL = KEY + COLUMNS
ROW = "(whole row)"


class Facts(NamedTuple):
    """What is known of a column of a day. Numbers are decimal texts, bounds canonical ones."""

    rows: int
    nulls: int
    empty: int
    digest: str
    least: str | None
    most: str | None
    total: str | None


Witness = dict[tuple[date, str], Facts]


def connect() -> psycopg.Connection:
    options = "-c timezone=UTC -c client_min_messages=warning"
    return psycopg.connect(os.environ["RIDEHAIL_DATABASE_URL"], options=options, autocommit=True)


def quoted(name: str) -> str:
    return f'"{name}"'


# Kinds of columns, so that each side compares in the same order ------------------------------------------------------

def has_order(column: Column) -> bool:
    """Whether bounds are of values; of texts, by their bytes, where not."""
    return column.iceberg.split("(")[0] in {"int", "long", "float", "double", "decimal", "date", "time", "timestamp", "timestamptz"}


def has_total(column: Column) -> bool:
    """Whole numbers and decimals that leave room for a sum in 38 digits."""
    digits = column.iceberg.removeprefix("decimal(").split(",")[0]
    return column.iceberg in {"int", "long"} or digits.isdigit() and int(digits) <= 28


# Postgres ------------------------------------------------------------------------------------------------------------

def postgres_text(column: Column, x: str) -> str:
    kind = column.postgres.split("(")[0]
    if kind in {"real", "double precision"}:
        return f"encode(float{4 if kind == 'real' else 8}send({x}), 'hex')"
    if kind == "char":
        return f"convert_from(bpcharsend({x}), 'UTF8')"
    if kind == "bytea":
        return f"encode({x}, 'hex')"
    if kind == "date":
        return f"({x} - date '1970-01-01')::text"
    if kind in {"time", "timestamp", "timestamptz"}:
        return f"round(extract(epoch from {x}) * 1000000)::text"
    return f"{x}::text"


def postgres_column(column: Column) -> str:
    name = quoted(column.name)
    if not column.postgres.endswith("[]"):
        return postgres_text(column, name)
    element = postgres_text(column._replace(postgres=column.postgres[:-2]), "e")
    return (
        f"case when {name} is not null then coalesce((select string_agg(coalesce(md5({element}), 'null'), ',' order by n)"
        f" from unnest({name}) with ordinality as u (e, n)), '') end"
    )


def postgres_facts(column: Column, text: str) -> list[str]:
    least, most = f'min({text} collate "C")', f'max({text} collate "C")'
    if has_order(column):
        # NaN is left out, and -0 is 0: engines order them differently
        is_float = column.iceberg in {"float", "double"}
        x = quoted(column.name) + (f" + 0::{column.postgres}" if is_float else "")
        numbers = f" filter (where {quoted(column.name)} <> 'NaN')" if is_float else ""
        least, most = (postgres_text(column, f"({f}({x}){numbers})") for f in ("min", "max"))
    return [
        "count(*)",
        f"count(*) - count({text})",
        f"count(*) filter (where {text} = '')",
        f"coalesce(sum(('x' || substr(md5({text}), 1, 15))::bit(60)::int8), 0)::text",
        least,
        most,
        f"sum({quoted(column.name)})::text" if has_total(column) else "null",
    ]


def of_postgres(cursor: psycopg.Cursor, table: str) -> Witness:
    texts = ", ".join(f"{postgres_column(column)} as c{n}" for n, column in enumerate(ALL))
    facts = [fact for n, column in enumerate(ALL) for fact in postgres_facts(column, f"c{n}")]
    whole = "concat_ws(',', " + ", ".join(f"coalesce(md5(c{n}), 'null')" for n in range(len(ALL))) + ")"
    facts += postgres_facts(Column(ROW, "text", "string", [], str), f"({whole})")
    cursor.execute(
        f"select (at at time zone 'UTC')::date, {', '.join(facts)}"
        f" from (select *, {texts} from {table}) as t group by 1"
    )
    return {(line[0], name): facts for line in cursor for name, facts in facts_of(line[1:])}


def facts_of(values: Iterable) -> Iterable[tuple[str, Facts]]:
    values = list(values)
    for n, name in enumerate([*(column.name for column in ALL), ROW]):
        yield name, Facts(*values[7 * n : 7 * n + 7])


# Trino ---------------------------------------------------------------------------------------------------------------

def ask_trino(sql: str) -> list[dict]:
    asked = subprocess.run([os.environ["RIDEHAIL"], "query", "-q", "--output", "json", "-"], input=sql, capture_output=True, text=True)
    if asked.returncode:
        sys.exit(f"{sql}\n{asked.stderr}")
    return [json.loads(line) for line in asked.stdout.splitlines()]


def trino_text(kind: str, x: str) -> str:
    if kind in {"float", "double"}:
        return f"lower(to_hex(to_ieee754_{32 if kind == 'float' else 64}({x})))"
    if kind == "binary":
        return f"lower(to_hex({x}))"
    if kind == "date":
        return f"cast(date_diff('day', date '1970-01-01', {x}) as varchar)"
    if kind == "time":
        return f"cast(date_diff('second', time '00:00:00', {x}) * 1000000 + cast(substr(cast({x} as varchar), -6) as bigint) as varchar)"
    if kind == "timestamptz":
        return trino_text("timestamp", f"cast({x} at time zone 'UTC' as timestamp(6))")
    if kind == "timestamp":
        seconds = f"date_diff('second', timestamp '1970-01-01 00:00:00', date_trunc('second', {x}))"
        return f"cast({seconds} * 1000000 + cast(substr(cast({x} as varchar), -6) as bigint) as varchar)"
    return x if kind == "string" else f"cast({x} as varchar)"


def trino_md5(text: str) -> str:
    return f"lower(to_hex(md5(to_utf8({text}))))"


def trino_column(column: Column) -> str:
    name = quoted(column.name.lower())
    if not column.iceberg.startswith("list<"):
        return trino_text(column.iceberg, name)
    element = trino_text(column.iceberg[5:-1], "e")
    return f"array_join(transform({name}, e -> coalesce({trino_md5(element)}, 'null')), ',')"


def trino_facts(column: Column, text: str) -> list[str]:
    least, most = f"min({text})", f"max({text})"
    if has_order(column):
        name, kind = quoted(column.name.lower()), {"float": "real"}.get(column.iceberg, column.iceberg)
        is_float = kind in {"real", "double"}
        x = name + (f" + {kind} '0'" if is_float else "")
        numbers = f" filter (where not is_nan({name}))" if is_float else ""
        least, most = (trino_text(column.iceberg, f"({f}({x}){numbers})") for f in ("min", "max"))
    scale = column.iceberg[:-1].split(", ")[1] if column.iceberg.startswith("decimal") else "0"
    return [
        "count(*)",
        f"count(*) - count({text})",
        f"count_if({text} = '')",
        f"cast(coalesce(sum(cast(from_base(substr({trino_md5(text)}, 1, 15), 16) as decimal(38, 0))), 0) as varchar)",
        least,
        most,
        f"cast(sum(cast({quoted(column.name.lower())} as decimal(38, {scale}))) as varchar)" if has_total(column) else "null",
    ]


def of_trino(relation: str, columns: list[Column], *, whole: bool) -> Witness:
    texts = ", ".join(f"{trino_column(column)} as c{n}" for n, column in enumerate(columns))
    asked = [(column.name, trino_facts(column, f"c{n}")) for n, column in enumerate(columns)]
    if whole:
        row = ", ".join(f"coalesce({trino_md5(f'c{n}')}, 'null')" for n in range(len(columns)))
        asked.append((ROW, trino_facts(Column(ROW, "text", "string", [], str), f"array_join(array[{row}], ',')")))
    found: Witness = {}
    for start in range(0, len(asked), 15):  # a plan of all columns at once takes Trino longer
        some = asked[start : start + 15]
        named = ", ".join(f"{fact} as f{n}" for n, fact in enumerate(fact for _, facts in some for fact in facts))
        lines = ask_trino(
            f"select cast(date(at at time zone 'UTC') as varchar) as day, {named}"
            f" from (select *, {texts} from {relation} where at < timestamp '{HOT} 00:00:00 UTC') group by 1"
        )
        for line in lines:
            day, *values = line.values()
            for n, (name, _) in enumerate(some):
                found[date.fromisoformat(day), name] = Facts(*values[7 * n : 7 * n + 7])
    return found


# pyiceberg -----------------------------------------------------------------------------------------------------------

def open_table(schema: str, name: str) -> Table:
    env = os.environ
    catalog = SqlCatalog(
        env["RIDEHAIL_LAKE_CATALOG"],
        uri=env["RIDEHAIL_DATABASE_URL"].replace("postgres://", "postgresql+psycopg://") + "?options=-csearch_path%3Dlake_catalog",
        init_catalog_tables="false",
        **{
            "s3.endpoint": env["RIDEHAIL_S3_ENDPOINT"],
            "s3.region": env["RIDEHAIL_S3_REGION"],
            "s3.access-key-id": env["RIDEHAIL_S3_ACCESS_KEY"],
            "s3.secret-access-key": env["RIDEHAIL_S3_SECRET_KEY"],
        },
    )
    return catalog.load_table((schema, name))


def plain(kind: IcebergType, values: pa.Array) -> list:
    """Python's values; moments as numbers, which reach further than Python's calendar."""
    if isinstance(kind, DateType):
        values = values.cast(pa.int32())
    elif isinstance(kind, TimestampType | TimestamptzType | TimeType):
        assert getattr(values.type, "tz", None) in ({"UTC"} if isinstance(kind, TimestamptzType) else {None}), values.type
        values = values.cast(pa.int64())
    return values.to_pylist()


def python_text(kind: IcebergType, x: object) -> str:
    match kind, x:
        case BooleanType(), bool():
            return "true" if x else "false"
        case FloatType(), float():
            return pa.array([x], pa.float32()).buffers()[1].to_pybytes()[3::-1].hex()
        case DoubleType(), float():
            return pa.array([x], pa.float64()).buffers()[1].to_pybytes()[7::-1].hex()
        case DecimalType(), Decimal():
            return format(x, "f")
        case BinaryType(), bytes():
            return x.hex()
        case StringType(), str():
            return x
        case (IntegerType() | LongType() | DateType() | TimeType() | TimestampType() | TimestamptzType()), int():
            return str(x)
    raise TypeError(f"{type(x)} in a column of {kind}")


def hashed(text: str | None) -> str:
    return "null" if text is None else md5(text.encode()).hexdigest()


def texts_of(kind: IcebergType, values: pa.Array) -> list[str | None]:
    if not isinstance(kind, ListType):
        return [None if x is None else python_text(kind, x) for x in plain(kind, values)]
    elements = iter(texts_of(kind.element_type, values.flatten()))
    lengths = values.value_lengths().to_pylist()
    return [None if n is None else ",".join(hashed(next(elements)) for _ in range(n)) for n in lengths]


def python_facts(texts: list[str | None], order: list | None, kind: IcebergType | None, total: bool) -> Facts:
    known = [text for text in texts if text is not None]
    least = most = None
    if order is None:
        if known:
            least, most = (f(known, key=str.encode) for f in (min, max))
    elif numbers := [x for x in order if x is not None and x == x]:
        least, most = (python_text(kind, f(numbers)) for f in (min, max))
    with localcontext(prec=60):
        summed = format(sum(x for x in order if x is not None), "f" if isinstance(kind, DecimalType) else "") if total and known else None
    digest = sum(int(hashed(text)[:15], 16) for text in known)
    return Facts(len(texts), len(texts) - len(known), known.count(""), str(digest), least, most, summed)


def of_pyiceberg(table: Table) -> Witness:
    found: Witness = {}
    for day in DAYS:
        from_day = GreaterThanOrEqual("at", f"{day}T00:00:00+00:00")
        rows = table.scan(And(from_day, LessThan("at", f"{day + timedelta(days=1)}T00:00:00+00:00"))).to_arrow()
        hashes: list[list[str]] = []
        for column in ALL:
            kind = table.schema().find_type(column.name)
            values = rows[column.name].combine_chunks()
            texts = texts_of(kind, values)
            order = None
            if has_order(column):
                is_float = isinstance(kind, FloatType | DoubleType)
                order = [x + 0.0 if is_float and x is not None else x for x in plain(kind, values)]
            found[day, column.name] = python_facts(texts, order, kind, has_total(column))
            hashes.append([hashed(text) for text in texts])
        found[day, ROW] = python_facts([",".join(line) for line in zip(*hashes, strict=True)], None, None, False)
    return found


def wrong_files(cursor: psycopg.Cursor, schema: str, table: Table) -> list[str]:
    """Files that the ledger does not know, or knows otherwise; bounds and counts that would hide a row."""
    cursor.execute(
        "select path, f.rows, f.bytes from lake.files f join lake.moves m using (move_id, attempt)"
        " where m.table_schema = %s and m.table_name = %s and m.state = 'dropped'",
        (schema, table.name()[-1]),
    )
    ledger = {path: (rows, size) for path, rows, size in cursor}
    planned = {task.file.file_path: task.file for task in table.scan().plan_files()}
    wrong = [f"{path}: in the ledger or in the table alone" for path in sorted(ledger.keys() ^ planned.keys())]
    for path in ledger.keys() & planned.keys():
        file = planned[path]
        data = parquet.read_table(table.io.new_input(path).open())
        if ledger[path] != (file.record_count, file.file_size_in_bytes) or file.record_count != data.num_rows:
            wrong.append(f"{path}: another number of rows or bytes")
        if file.file_size_in_bytes != len(table.io.new_input(path)):
            wrong.append(f"{path}: another size")
        wrong += [f"{path}: {name} {problem}" for name in data.column_names for problem in wrong_statistics(table, file, name, data)]
    return wrong


def wrong_statistics(table: Table, file: DataFile, name: str, data: pa.Table) -> Iterable[str]:
    field = table.schema().find_field(name)
    if not isinstance(field.field_type, PrimitiveType):
        return
    values = plain(field.field_type, data[name].combine_chunks())
    if file.value_counts.get(field.field_id) != len(values) or file.null_value_counts.get(field.field_id) != values.count(None):
        yield "has another number of values"
    in_order = [x.encode() if isinstance(x, str) else x for x in values if x is not None and x == x]
    for bounds, fits in ((file.lower_bounds, lambda bound: bound <= min(in_order)), (file.upper_bounds, lambda bound: max(in_order) <= bound)):
        if in_order and (bytes_ := bounds.get(field.field_id)) is not None:
            bound = from_bytes(NARROW.get(len(bytes_), {}).get(field.field_type, field.field_type), bytes_)
            if not fits(bound.encode() if isinstance(bound, str) else bound):
                yield "has values out of its bounds"


# bounds of four bytes in files from before a column was widened
NARROW = {4: {LongType(): IntegerType(), DoubleType(): FloatType()}}


# Steps ---------------------------------------------------------------------------------------------------------------

def copy_in(cursor: psycopg.Cursor, table: str, columns: list[Column], rows: Iterable[list[str | None]]) -> None:
    names = ", ".join(quoted(column.name) for column in columns)
    with cursor.copy(f"copy {table} ({names}) from stdin") as copy:
        for values in rows:
            copy.write_row(values)


def fill(cursor: psycopg.Cursor, schema: str, table: str, seed: int) -> None:
    first = [column for column in COLUMNS if column not in CHANGED or column.name in FIRST]
    declared = ", ".join(f"{quoted(c.name)} {FIRST.get(c.name, c.postgres)}" for c in first)
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
    copy_in(cursor, "new", ALL, rows)
    names = ", ".join(quoted(column.name) for column in ALL)
    cursor.execute(f"insert into {table}_was ({names}) select {names} from new")
    cursor.execute(f"""
        insert into lake.late_{schema}_{table} ({names}, ridehail_flush, ridehail_suspect)
        select {names}, (select open_flush from lake.boundaries where (table_schema, table_name) = ('{schema}', '{table}')), false
        from new""")
    cursor.execute("drop table new")


def compare(cursor: psycopg.Cursor, schema: str, table: str, seed: int) -> None:
    iceberg = open_table(schema, table)
    types = {field.name: str(field.field_type) for field in iceberg.schema().fields}
    expected = {column.name: column.iceberg for column in ALL} | {"ridehail_flush": types.get("ridehail_flush")}
    if types != expected:
        sys.exit(f"another schema: {sorted(types.items() ^ expected.items())}")

    cursor.execute("select view_name from lake.tables where (table_schema, table_name) = (%s, %s)", (schema, table))
    [view] = cursor.fetchone()
    postgres = {key: facts for key, facts in of_postgres(cursor, table + "_was").items() if key[0] < HOT}
    # in the view a document is the text that Trino makes of it
    in_view = [column for column in ALL if not column.postgres.startswith("json") or column.postgres.endswith("[]")]
    others = {
        "pyiceberg": of_pyiceberg(iceberg),
        "Trino": of_trino(f'"{schema}"."{table}"', ALL, whole=True),
        "the view": of_trino(f'history."{view}"', in_view, whole=False),
    }
    wrong = wrong_files(cursor, schema, iceberg)
    differing = set()
    for who, witness in others.items():
        asked = {key for key in postgres if who != "the view" or key[1] in {column.name for column in in_view}}
        for day, name in sorted(asked | witness.keys()):
            if postgres.get((day, name)) != witness.get((day, name)):
                differing.add(name)
                wrong.append(f"{day} {name}:\n    Postgres {postgres.get((day, name))}\n    {who} {witness.get((day, name))}")
    print(f"\nseed {seed}: {'column':20} {'Postgres':24} {'Iceberg':22} {'rows':>6} {'NULL':>6} {'empty':>6}")
    for column in [*ALL, Column(ROW, "", "", [], str)]:
        days = [postgres[day, column.name] for day in DAYS]
        sums = " ".join(f"{sum(getattr(facts, what) for facts in days):6}" for what in ("rows", "nulls", "empty"))
        print(f"{'DIFFERS' if column.name in differing else 'equal':>10}  {column.name:20} {column.postgres:24} {column.iceberg:22} {sums}")
    files = len(list(iceberg.scan().plan_files()))
    print(f"{files} files as the ledger has them, bounds and counts hold" if not wrong else "\n".join(wrong))
    if wrong:
        sys.exit(1)
    notice(cursor, table, postgres)


def notice(cursor: psycopg.Cursor, table: str, before: Witness) -> None:
    """A comparison that can't fail proves nothing: small changes of the copy must show, where they are and only there."""

    def one(condition: str) -> str:
        return f"(select ctid from {table}_was where at < '{DAYS[1]}' and {condition} limit 1)"

    low, high = one("int2 = -32768"), one("int2 = 32767")
    for change, expected in [
        (f"set int8 = int8 # 1 where ctid = {one('int8 is not null')}", {"int8", ROW}),
        (f"set text = null where ctid = {one('length(text) = 0')}", {"text", ROW}),
        (f"set timestamptz = timestamptz - interval '1 us' where ctid = {one('timestamptz > at')}", {"timestamptz", ROW}),
        (f"set int2 = -1 - int2 where ctid in ({low}, {high})", {ROW}),  # as two rows with each other's values
    ]:
        cursor.execute("begin")
        cursor.execute(f"update {table}_was {change}")
        after = of_postgres(cursor, table + "_was")
        cursor.execute("rollback")
        seen = {name for (day, name), facts in after.items() if facts != before.get((day, name), facts)}
        if seen != expected:
            sys.exit(f"`{change}` shows as {sorted(seen)}")


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


STEPS: dict[str, Callable] = {step.__name__: step for step in (fill, change, late, compare, clean)}


def main(step: str, schema: str, *seeds: str) -> None:
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"create schema if not exists {schema}; set search_path = {schema}")
        if step == "fill":
            cursor.execute("create type mood as enum ('sad', 'happy', 'so so'); create domain fare as numeric(12,2) check (value >= 0)")
        for seed in seeds:
            STEPS[step](cursor, schema, f"rows_{seed}", int(seed))


if __name__ == "__main__":
    main(*sys.argv[1:])
