#!/usr/bin/env python3
"""Writes a dbt project of many models, the same every time, to measure with.

Usage: big_project.py FOLDER [--models 1000]

The models stand in layers of 100. Those of the first layer make ten rows each; a model of a later
layer unites two of the layer before and groups them. Every tenth model is a table, the others are
views, and a layer of tables ends every five layers, so that no view expands to thousands. Each
model has two tests: its key is unique and never null. The files are spread over one folder a
layer, each with one property file, as a real project's would be.
"""

import argparse
from pathlib import Path

LAYER = 100
TABLES_EVERY = 5

FIRST = """select
    i as id,
    i % 7 as kind,
    (i * {number})::numeric(12, 2) as amount,
    timestamp '2026-01-01' + i * interval '1 hour' as happened_at
from generate_series(1, 10) as i
"""

LATER = """{config}with

first as (

    select * from {{{{ ref('{left}') }}}}

),

second as (

    select * from {{{{ ref('{right}') }}}}

)

select
    first.id,
    first.kind,
    first.amount + second.amount as amount,
    greatest(first.happened_at, second.happened_at) as happened_at
from first
join second on second.id = first.id
"""

PROJECT = """name: big
version: '1.0'
profile: {profile}
models:
  big:
    +materialized: view
"""


def name(number: int) -> str:
    return f"model_{number:05d}"


def text(number: int) -> str:
    layer, place = divmod(number, LAYER)
    if layer == 0:
        return FIRST.format(number=number + 1)
    is_table = place % 10 == 0 or layer % TABLES_EVERY == 0
    below = (layer - 1) * LAYER
    return LATER.format(
        config="{{ config(materialized='table') }}\n\n" if is_table else "",
        left=name(below + place),
        right=name(below + (place * 7 + 3) % LAYER),
    )


def properties(numbers: range) -> str:
    lines = ["version: 2", "", "models:"]
    for number in numbers:
        lines += [
            f"  - name: {name(number)}",
            f"    description: Model {number}, two of the layer before it joined by their key.",
            "    columns:",
            "      - name: id",
            "        description: The key.",
            "        data_tests:",
            "          - unique",
            "          - not_null",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--profile", default="ridehail")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    (args.folder / "dbt_project.yml").write_text(PROJECT.format(profile=args.profile))
    for begin in range(0, args.models, LAYER):
        numbers = range(begin, min(begin + LAYER, args.models))
        folder = args.folder / "models" / f"layer_{begin // LAYER:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            (folder / f"{name(number)}.sql").write_text(text(number))
        (folder / "_models.yml").write_text(properties(numbers))


if __name__ == "__main__":
    main()
