"""Reads what the archive wrote with readers that share no code with it, and compares.

Usage: lake_reader.py SCHEMA SEED...

Three witnesses are asked for the same facts of each day and column of the tables that lake_tables.py made: Postgres
about the copy, pyiceberg about the files, Trino about the table and the view. At last the copy is changed a little,
which must show.
"""

import os
import sys
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal, localcontext
from hashlib import md5

import psycopg
import pyarrow as pa
from pyarrow import parquet
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.conversions import from_bytes
from pyiceberg.expressions import And, GreaterThanOrEqual, LessThan
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.types import (
    BinaryType, BooleanType, DateType, DecimalType, DoubleType, FloatType, IcebergType, IntegerType, ListType, LongType,
    PrimitiveType, StringType, TimestamptzType, TimestampType, TimeType,
)

from lake_sql import ALL, ROW, Facts, Witness, has_order, has_total, of_postgres, of_trino
from lake_values import DAYS, Column

FLUSH = Column("ridehail_flush", "", "long", [], str)  # the archive's own


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
        found[day, ROW.name] = python_facts([",".join(line) for line in zip(*hashes, strict=True)], None, None, False)
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


def compare(cursor: psycopg.Cursor, schema: str, seed: str) -> None:
    name = f"rows_{seed}"
    table = open_table(schema, name)
    cursor.execute("select view_name from lake.tables where (table_schema, table_name) = (%s, %s)", (schema, name))
    [(view,)] = cursor.fetchall()
    types = {field.name: str(field.field_type) for field in table.schema().fields}
    wrong = [f"another schema: {type_}" for type_ in sorted(types.items() ^ {c.name: c.iceberg for c in [*ALL, FLUSH]}.items())]

    postgres = of_postgres(cursor, f"{name}_was")
    archived = {key: facts for key, facts in postgres.items() if key[0] in DAYS}
    # in the view a document is the text that Trino makes of it, and there is none for an array of them
    in_view = [column for column in ALL if not column.postgres.startswith("json")]
    names = {column.name for column in in_view}
    differing = set()
    for who, witness, expected in [
        ("pyiceberg", of_pyiceberg(table), archived),
        ("Trino", of_trino(f'"{schema}"."{name}"', [*ALL, ROW]), archived),
        ("the view", of_trino(f'history."{view}"', in_view), {key: facts for key, facts in postgres.items() if key[1] in names}),
    ]:
        for day, column in sorted(expected.keys() | witness.keys()):
            ours, theirs = expected.get((day, column)), witness.get((day, column))
            if ours != theirs:
                differing.add(column)
                fields = [what for what in Facts._fields if getattr(ours, what, None) != getattr(theirs, what, None)]
                told = "; ".join(f"{what} {getattr(ours, what, None)!r:.60} | {getattr(theirs, what, None)!r:.60}" for what in fields)
                wrong.append(f"{day} {column}: Postgres | {who}: {told}")
    wrong += wrong_files(cursor, schema, table)

    print(f"\n         {'seed ' + seed:20} {'Postgres':24} {'Iceberg':22} {'rows':>6} {'NULL':>6} {'empty':>6}")
    for column in [*ALL, ROW]:
        days = [archived[day, column.name] for day in DAYS]
        sums = " ".join(f"{sum(getattr(facts, what) for facts in days):6}" for what in ("rows", "nulls", "empty"))
        print(f"{'DIFFERS' if column.name in differing else 'equal':8} {column.name:20} {column.postgres:24} {column.iceberg:22} {sums}")
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(list(table.scan().plan_files()))} files as the ledger has them; their bounds and counts hold")
    notice(cursor, f"{name}_was", postgres)


def notice(cursor: psycopg.Cursor, table: str, before: Witness) -> None:
    """A comparison that can't fail proves nothing: small changes of the table must show where they are, and only there."""

    def one(condition: str) -> str:
        return f"(select ctid from {table} where at < '{DAYS[1]}' and {condition} limit 1)"

    low, high = one("int2 = -32768"), one("int2 = 32767")
    for change, expected in [
        (f"set int8 = int8 # 1 where ctid = {one('int8 is not null')}", {"int8", ROW.name}),
        (f"set text = null where ctid = {one('length(text) = 0')}", {"text", ROW.name}),
        (f"set timestamptz = timestamptz - interval '1 us' where ctid = {one('timestamptz > at')}", {"timestamptz", ROW.name}),
        (f"set int2 = -1 - int2 where ctid in ({low}, {high})", {ROW.name}),  # as two rows with each other's values
    ]:
        cursor.execute("begin")
        cursor.execute(f"update {table} {change}")
        after = of_postgres(cursor, table)
        cursor.execute("rollback")
        seen = {name for (day, name), facts in after.items() if facts != before.get((day, name), facts)}
        if seen != expected:
            sys.exit(f"`{change}` shows as {sorted(seen)}")


def main(schema: str, *seeds: str) -> None:
    # hundreds of expressions over few rows
    options = f"-c timezone=UTC -c jit=off -c search_path={schema}"
    with psycopg.connect(os.environ["RIDEHAIL_DATABASE_URL"], options=options, autocommit=True) as connection:
        for seed in seeds:
            compare(connection.cursor(), schema, seed)


if __name__ == "__main__":
    main(*sys.argv[1:])
