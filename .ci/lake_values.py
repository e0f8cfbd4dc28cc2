"""Columns of every type the archive knows, and values of them, drawn by a seed. Pure.

What Postgres and Iceberg call a type is written down by hand, so that a reader's schema is compared with an
intention. Values are texts as Postgres reads them. Missing are those that Trino can't read in Postgres, so that no view
can be made: numeric with a scale below zero or beyond its precision, domains, bytea[], timestamptz beyond the year 73326.
"""

import json
import struct
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from random import Random
from typing import NamedTuple

DAYS = [date(2026, 1, 1) + timedelta(days=n) for n in range(3)]  # move
HOT = date(2026, 1, 4)  # stays in Postgres

Draw = Callable[[Random], str]


class Column(NamedTuple):
    name: str
    postgres: str
    iceberg: str
    special: list[str]  # values that have broken programs; a quarter of all rows
    draw: Draw


def integer(bits: int) -> Draw:
    return lambda r: str(r.randrange(-(2 ** (bits - 1)), 2 ** (bits - 1)) >> r.choice([0, bits - 4]))


def decimal(digits: int, scale: int) -> Draw:
    def draw(r: Random) -> str:
        text = str(r.randrange(10 ** r.randint(1, digits))).rjust(scale + 1, "0")
        point = len(text) - scale
        return r.choice(["", "-"]) + text[:point] + ("." + text[point:] if scale else "")

    return draw


def float4(r: Random) -> str:
    return f"{struct.unpack('f', r.randbytes(4))[0]:.9g}"


def float8(r: Random) -> str:
    return repr(struct.unpack("d", r.randbytes(8))[0])


ALPHABET = [chr(n) for n in range(1, 127)] + list("ąéß€İıſΩ中文\u0301\u0308\u200d\u202e\ufeff\ufffd\ufffe🚕🏳👩\U0001d54f\U0010ffff")


def text(most: int) -> Draw:
    return lambda r: "".join(r.choices(ALPHABET, k=r.randint(0, most)))


def document(r: Random, depth: int = 3) -> object:
    kinds = [lambda: None, lambda: r.random() < 0.5, lambda: r.randint(-(10**20), 10**20), r.random, lambda: text(8)(r)]
    if depth:
        kinds += [
            lambda: [document(r, depth - 1) for _ in range(r.randint(0, 3))],
            lambda: {text(4)(r): document(r, depth - 1) for _ in range(r.randint(0, 3))},
        ]
    return r.choice(kinds)()


def written(r: Random) -> str:
    return json.dumps(document(r), ensure_ascii=r.random() < 0.5, indent=r.choice([None, 1]))


def moment(r: Random) -> str:
    return str(datetime(1850, 1, 1) + timedelta(microseconds=r.randrange(300 * 366 * 86400 * 10**6)))


def array(of: Column) -> Column:
    def draw(r: Random) -> str:
        quoted = lambda value: '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'  # noqa: E731
        return "{" + ",".join("NULL" if v is None else quoted(v) for v in (value(of, r) for _ in range(r.randint(0, 4)))) + "}"

    return Column(of.name + "_list", of.postgres + "[]", f"list<{of.iceberg}>", ["{}", "{NULL}", "{NULL,NULL}"], draw)


NINES = "9" * 38
SCALARS = [
    Column("bool", "boolean", "boolean", ["true", "false"], lambda r: r.choice("tf")),
    Column("int2", "smallint", "int", ["-32768", "32767", "0"], integer(16)),
    Column("int4", "integer", "int", ["-2147483648", "2147483647", "0"], integer(32)),
    Column("int8", "bigint", "long", ["-9223372036854775808", "9223372036854775807", "0"], integer(64)),
    Column("float4", "real", "float", ["NaN", "-0", "0", "Infinity", "-Infinity", "1e-45", "3.4028235e38"], float4),
    Column("float8", "double precision", "double", ["NaN", "-0", "0", "Infinity", "-Infinity", "5e-324", "1.7976931348623157e308"], float8),
    Column("money", "numeric(12,2)", "decimal(12, 2)", ["0", "-0.01", "9999999999.99", "-9999999999.99", "10000"], decimal(12, 2)),
    Column("num_9_4", "numeric(9,4)", "decimal(9, 4)", ["99999.9999", "-0.0001"], decimal(9, 4)),
    Column("num_18_9", "numeric(18,9)", "decimal(18, 9)", ["999999999.999999999", "-0.000000001"], decimal(18, 9)),
    Column("num_38_0", "numeric(38,0)", "decimal(38, 0)", [NINES, "-" + NINES, "0"], decimal(38, 0)),
    Column("num_38_10", "numeric(38,10)", "decimal(38, 10)", [NINES[:28] + "." + NINES[:10], "-0.0000000001"], decimal(38, 10)),
    Column("num_38_38", "numeric(38,38)", "decimal(38, 38)", ["0." + NINES, "-0." + NINES, "-0." + "0" * 37 + "1"], decimal(38, 38)),
    Column("text", "text", "string", ["", "NULL", "\\N", "x" * 5000, "\U0010ffff" * 40, " a ", "e\u0301", "\u00e9"], text(24)),
    Column("varchar", "varchar(12)", "string", ["", "abcdefghijkl", "🚕" * 12], text(12)),
    Column("char", "char(7)", "string", ["", "ab", "  c", "é🚕"], text(7)),
    Column("name", "name", "string", ["", "a name"], text(9)),
    Column("enum", "mood", "string", ["sad"], lambda r: r.choice(["sad", "happy", "so so"])),
    Column("uuid", "uuid", "string", ["0" * 32, "f" * 32], lambda r: f"{r.getrandbits(128):032x}"),
    Column("json", "json", "string", ['{"b":1,  "a":[1,2], "b":2}', "null", '"é"', " 1 "], written),
    Column("jsonb", "jsonb", "string", ['{"b":1, "a":[1.10,null,{"x":"🚕"}]}', "null", '""', "1e400"], written),
    Column("date", "date", "date", ["4713-01-01 BC", "5874897-12-31", "1970-01-01", "1969-12-31"], lambda r: str(date.fromordinal(r.randint(1, 3_652_059)))),
    Column("time", "time", "time", ["00:00", "23:59:59.999999"], lambda r: str(time(r.randrange(24), r.randrange(60), r.randrange(60), r.randrange(10**6)))),
    Column("timestamp", "timestamp", "timestamp", ["4713-01-01 BC", "294246-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"], moment),
    Column("timestamptz", "timestamptz", "timestamptz", ["4713-01-02 BC", "73326-09-11 20:14:45.247999+00", "1969-12-31 23:59:59.999999+00"], lambda r: moment(r) + "+05:30"),
    Column("bytea", "bytea", "binary", ["", "\\x00ff", "\\x5c78"], lambda r: "\\x" + r.randbytes(r.randint(0, 20)).hex()),
]
# as they are after a change between two moves; FIRST says what they were declared as before it
CHANGED = [
    Column("wide_int", "bigint", "long", ["-2147483648", "2147483647"], integer(32)),
    Column("wide_float", "double precision", "double", ["NaN", "-0", "3.4028235e38"], float4),
    Column("wide_decimal", "numeric(20,2)", "decimal(20, 2)", ["9999999.99", "-0.01"], decimal(9, 2)),
    Column("wide_list", "bigint[]", "list<long>", ["{}", "{NULL}"], lambda r: f"{{{integer(32)(r)},NULL}}"),
    Column("added", "text", "string", [""], text(6)),
]
FIRST = {"wide_int": "integer", "wide_float": "real", "wide_decimal": "numeric(9,2)", "wide_list": "integer[]"}
COLUMNS = [*SCALARS, *map(array, SCALARS[:-1]), Column("Mixed Case", "text", "string", [""], text(6)), *CHANGED]
KEY = [Column("at", "timestamptz", "timestamptz", [], moment), Column("seq", "bigint", "long", [], integer(64))]


def value(column: Column, r: Random) -> str | None:
    chance = r.random()
    if chance < 0.12:
        return None
    return r.choice(column.special) if chance < 0.37 else column.draw(r)


def row(columns: list[Column], r: Random, day: date, seq: int) -> list[str | None]:
    """Values of KEY and columns; some moments are a day's first and last."""
    micros = r.choice([0, 86400 * 10**6 - 1, *(r.randrange(86400 * 10**6) for _ in range(20))])
    at = datetime.combine(day, time()) + timedelta(microseconds=micros)
    return [f"{at}+00", str(seq), *(value(column, r) for column in columns)]
