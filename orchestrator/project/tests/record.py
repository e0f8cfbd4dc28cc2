"""Renews what dbt says of the fixture projects: NAME.nodes.json and NAME.selected.json.

Needs dbt-core and dbt-postgres and a Postgres that the fixtures' profile reaches.
usage: record.py WORK_DIR (an empty folder to build in) [NAME...]
"""

import json
import os
import pathlib
import shutil
import sys

from dbt.cli.main import dbtRunner

HERE = pathlib.Path(__file__).parent / "fixtures"


def shape(node):
    """What is compared of a node. What depends on a live database is left out."""
    compiled = node.get("compiled_code")
    if "invocation_id" in (node.get("raw_code") or ""):
        compiled = None
    found = {
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
    for key in ["version", "latest_version", "group", "access"]:
        if node.get(key) is not None:
            found[key] = node[key]
    if node["resource_type"] == "snapshot":
        found["raw_code"] = node["raw_code"]
        config = dict(node["config"])
        for key in ["strategy", "unique_key", "check_cols", "updated_at", "hard_deletes",
                    "invalidate_hard_deletes", "dbt_valid_to_current", "target_schema",
                    "snapshot_meta_column_names"]:
            found["config." + key] = config.get(key)
    return found


def others(manifest):
    """Ids, edges and labels of what is neither node nor source."""
    found = {}
    for kind in ["unit_tests", "exposures", "metrics", "semantic_models", "saved_queries"]:
        for unique_id, thing in manifest[kind].items():
            found[unique_id] = {
                "fqn": thing["fqn"],
                "depends_on": thing["depends_on"]["nodes"],
                "tags": sorted((thing.get("config") or {}).get("tags", [])),
                "original_file_path": thing["original_file_path"],
            }
    for unique_id, group in manifest["groups"].items():
        found[unique_id] = {"original_file_path": group["original_file_path"]}
    return found


def manifest(name, work):
    """Ids, names, edges and compiled SQL."""
    result = dbtRunner().invoke(["compile", "--quiet", "--no-partial-parse", "--profiles-dir", "."])
    if not result.success:
        sys.exit(f"dbt compile failed: {result.exception}")
    read = json.loads((work / "target/manifest.json").read_text())
    nodes = read["nodes"].items()
    write(f"{name}.nodes.json", {i: shape(n) for i, n in nodes if n["config"]["enabled"]})
    write(f"{name}.others.json", others(read))


def selections(name):
    """Unique ids that `dbt ls` gives for every line of selectors.txt (a JSON list of arguments)."""
    runner, found = dbtRunner(), []
    for line in (HERE / f"{name}.selectors.txt").read_text().splitlines():
        arguments = json.loads(line)
        output = ["--output", "json", "--output-keys", "unique_id", "--profiles-dir", "."]
        result = runner.invoke(["ls", "--quiet", *output, *arguments])
        if not result.success:
            print(f"dbt ls {arguments} failed: {result.exception}", file=sys.stderr)
            found.append({"args": arguments, "error": str(result.exception)})
            continue
        ids = sorted(json.loads(row)["unique_id"] for row in result.result or [])
        found.append({"args": arguments, "ids": ids})
    write(f"{name}.selected.json", found)


def write(name, value):
    (HERE / name).write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    for name in sys.argv[2:] or ["shop", "depot"]:
        work = folder / name
        shutil.copytree(HERE / name, work)
        os.chdir(work)
        manifest(name, work)
        selections(name)


main()
