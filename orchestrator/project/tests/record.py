"""Renews what dbt says of the fixture project `shop`: shop.nodes.json and shop.selected.json.

Needs dbt-core and dbt-postgres and a Postgres that the fixture's profile reaches.
usage: record.py WORK_DIR (an empty folder to build in)
"""

import json
import os
import pathlib
import shutil
import sys

from dbt.cli.main import dbtRunner

HERE = pathlib.Path(__file__).parent / "fixtures"


def manifest(work):
    """Ids, names, edges and compiled SQL. What depends on a live database is left out."""
    result = dbtRunner().invoke(["compile", "--quiet", "--no-partial-parse", "--profiles-dir", "."])
    if not result.success:
        sys.exit(f"dbt compile failed: {result.exception}")
    found = {}
    for unique_id, node in json.loads((work / "target/manifest.json").read_text())["nodes"].items():
        if not node["config"]["enabled"]:
            continue
        compiled = node.get("compiled_code")
        if "invocation_id" in (node.get("raw_code") or ""):
            compiled = None
        found[unique_id] = {
            "alias": node["alias"],
            "fqn": node["fqn"],
            "path": node["path"],
            "tags": node["tags"],
            "relation_name": node["relation_name"],
            "depends_on": node.get("depends_on", {}).get("nodes", []),
            "description": node["description"],
            "materialized": node["config"]["materialized"],
            "meta": node["config"]["meta"],
            "compiled": compiled,
        }
    return found


def selections(work):
    """Unique ids that `dbt ls` gives for every line of selectors.txt (a JSON list of arguments)."""
    runner, found = dbtRunner(), []
    for line in (HERE / "selectors.txt").read_text().splitlines():
        arguments = json.loads(line)
        output = ["--output", "json", "--output-keys", "unique_id", "--profiles-dir", "."]
        result = runner.invoke(["ls", "--quiet", *output, *arguments])
        if not result.success:
            sys.exit(f"dbt ls {arguments} failed: {result.exception}")
        ids = sorted(json.loads(row)["unique_id"] for row in result.result or [])
        found.append({"args": arguments, "ids": ids})
    return found


def write(name, value):
    (HERE / name).write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def main():
    work = pathlib.Path(sys.argv[1]).resolve() / "shop"
    shutil.copytree(HERE / "shop", work)
    os.chdir(work)
    write("shop.nodes.json", manifest(work))
    write("shop.selected.json", selections(work))


main()
