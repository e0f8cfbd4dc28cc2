"""What SQL says of a day's columns: Postgres of its tables, Trino of what its catalogs show.

Each engine turns values into texts of its own making. Both texts are alike: numbers and moments as decimal digits
(moments in microseconds since 1970), floats and bytes in hex, an array as the hashes of its elements.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

import psycopg

from lake_values import COLUMNS, KEY, Column

ALL = KEY + COLUMNS
ROW = Column("(whole row)", "", "string", [], str)  # its text is the hashes of all columns


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


def quoted(name: str) -> str:
    return f'"{name}"'


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
    facts += postgres_facts(ROW, f"({whole})")
    cursor.execute(
        f"select (at at time zone 'UTC')::date, {', '.join(facts)}"
        f" from (select *, {texts} from {table} offset 0) as t group by 1"  # each text is made once
    )
    return {(line[0], name): facts for line in cursor for name, facts in by_column([*ALL, ROW], line[1:])}


def by_column(columns: list[Column], values: Sequence) -> Iterable[tuple[str, Facts]]:
    size = len(Facts._fields)
    for n, column in enumerate(columns):
        yield column.name, Facts(*values[size * n : size * (n + 1)])


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


def of_trino(relation: str, columns: list[Column]) -> Witness:
    known = [column for column in columns if column is not ROW]
    texts = [f"{trino_column(column)} as c{n}" for n, column in enumerate(known)]
    hashes = ", ".join(f"coalesce({trino_md5(f'c{n}')}, 'null')" for n in range(len(known)))
    found: Witness = {}
    for start in range(0, len(columns), 15):  # a plan of all columns at once takes Trino longer
        some = columns[start : start + 15]
        facts: list[str] = []
        for n, column in enumerate(some, start):
            facts += trino_facts(column, f"array_join(array[{hashes}], ',')" if column is ROW else f"c{n}")
        lines = ask_trino(
            f"select cast(date(at at time zone 'UTC') as varchar) as day, {', '.join(f'{fact} as f{n}' for n, fact in enumerate(facts))}"
            f" from (select *, {', '.join(texts)} from {relation}) group by 1"
        )
        for line in lines:
            day, *values = line.values()
            found |= {(date.fromisoformat(day), name): facts for name, facts in by_column(some, values)}
    return found
