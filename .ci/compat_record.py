"""Records what real dbt makes of the projects in orchestrator/tests/compat.

Usage: compat_record.py OUTPUT_DIR [PROJECT...], or compat_record.py --fresh-database. Writes OUTPUT_DIR/PROJECT.json, one document a project, and
OUTPUT_DIR/broken.json for the cases of broken.yml; what changes from run to run is left out. dbt takes
seconds to start, so everything runs in this process. The database (COMPAT_*) is made anew for each project.
"""

import json
import os
import pathlib
import re
import shlex
import shutil
import sys
import tempfile

import psycopg2
import yaml
from dbt.cli.main import dbtRunner

HERE = pathlib.Path(__file__).resolve().parent.parent / "orchestrator/tests/compat"
# of dbt's packages: thousands of lines that are dbt's own, compared by what they do; who needs them is told
BUILT_IN = ("macro.dbt.", "macro.dbt_postgres.", "doc.dbt.")
# times, and what says how dbt itself is laid out
VOLATILE = {"created_at", "invocation_id", "invocation_started_at", "generated_at", "supported_languages"}


def connect(database):
    return psycopg2.connect(
        host=os.environ["COMPAT_HOST"],
        port=os.environ["COMPAT_PORT"],
        user=os.environ["COMPAT_USER"],
        password=os.environ["COMPAT_PASSWORD"],
        dbname=database,
    )


def execute(database, sql):
    connection = connect(database)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows = cursor.fetchall() if cursor.description else None
    connection.close()
    return rows


def fresh_database():
    name = os.environ["COMPAT_DATABASE"]
    execute("postgres", f'drop database if exists "{name}" with (force)')
    execute("postgres", f'create database "{name}"')


def cleaned(value, work):
    """`value` without times, hashes of this machine and names of this run."""
    if isinstance(value, dict):
        kept = {}
        for key, entry in value.items():
            if key in VOLATILE or any(str(key).startswith(prefix) for prefix in BUILT_IN):
                continue
            kept[key] = cleaned(entry, work)
        return kept
    if isinstance(value, list):
        return [cleaned(entry, work) for entry in value]
    if isinstance(value, str):
        return told(value, work)
    return value


def told(text, work):
    text = text.replace(str(work), "[project]").replace(os.environ["COMPAT_DATABASE"], "[database]")
    text = text.replace(f"port {os.environ['COMPAT_PORT']}", "port [port]")
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    text = re.sub(r"modification_time=[\d.]+", "modification_time=[time]", text)
    return re.sub(r"__dbt_tmp\d+", "__dbt_tmp[time]", text)


def exit_code(result):
    if result.success:
        return 0
    return 2 if result.exception is not None else 1


def run_results(work, seen):
    """Results that this step wrote; the file stays, as later steps read it."""
    path = work / "target/run_results.json"
    if not path.exists():
        return None
    written = json.loads(path.read_text())
    if written["metadata"]["invocation_id"] in seen:
        return None
    seen.add(written["metadata"]["invocation_id"])
    found = {}
    for entry in written["results"]:
        entry = dict(entry)
        entry["timing"] = [span["name"] for span in entry["timing"]]
        for key in ("execution_time", "thread_id"):
            entry.pop(key)
        found[entry.pop("unique_id")] = cleaned(entry, work)
    return found


def relations(volatile):
    database = os.environ["COMPAT_DATABASE"]
    found = {}
    for relation in json.loads(execute(database, (HERE / "relations.sql").read_text())[0][0]):
        schema, name = relation.pop("name").split(".", 1)
        row = f"to_jsonb(t) - '{{{','.join(volatile)}}}'::text[]"
        rows = execute(
            database,
            f'select coalesce(jsonb_agg({row} order by ({row})::text), \'[]\')::text from "{schema}"."{name}" t',
        )
        relation["rows"] = json.loads(rows[0][0])
        found[f"{schema}.{name}"] = relation
    return cleaned(found, "[project]")


def invoke(arguments, work, manifest=None):
    common = ["--no-partial-parse", "--quiet", "--no-use-colors", "--log-path", str(work / "logs")]
    result = dbtRunner(manifest=manifest).invoke([*common, *arguments])
    error = None if result.exception is None else told(str(result.exception), work)
    return result, error


def arguments_of(step):
    return step if isinstance(step, list) else shlex.split(step)


def project(name, work):
    shutil.copytree(HERE / name, work)
    shutil.copy(HERE / "profiles.yml", work)
    os.chdir(work)
    plan = yaml.safe_load((work / "steps.yml").read_text())
    fresh_database()
    steps, seen = [], set()
    for step in plan["steps"]:
        if isinstance(step, dict):
            execute(os.environ["COMPAT_DATABASE"], step["sql"])
            steps.append(step)
            continue
        result, error = invoke(arguments_of(step), work)
        kept = {"args": step, "exit": exit_code(result), "error": error, "results": run_results(work, seen)}
        if (work / "target/sources.json").exists():
            written = json.loads((work / "target/sources.json").read_text())
            (work / "target/sources.json").unlink()
            kept["sources"] = cleaned(sources(written), work)
        if (work / "target/catalog.json").exists():
            written = json.loads((work / "target/catalog.json").read_text())
            (work / "target/catalog.json").unlink()
            kept["catalog"] = cleaned({key: written[key] for key in ("nodes", "sources", "errors")}, work)
        steps.append(kept)
    manifest = json.loads((work / "target/manifest.json").read_text())
    manifest["metadata"] = sorted(manifest["metadata"])
    semantic = semantic_manifest(work)
    listed = {}
    # parsed once: every listing sees the same project
    parsed = invoke(["parse"], work)[0].result
    for step in plan["ls"]:
        result, error = invoke(["ls", *arguments_of(step)], work, parsed)
        lines = [told(line, work) for line in result.result or []]
        listed[step] = {"exit": exit_code(result), "lines": sorted(lines)}
    found = {
        "steps": steps,
        "ls": listed,
        "manifest": cleaned(manifest, work),
        "relations": relations(plan.get("volatile", [])),
    }
    return found if semantic is None else {**found, "semantic_manifest": cleaned(semantic, work)}


def semantic_manifest(work):
    """semantic_manifest.json of a project that has semantic models, its lists by name: dbt reads files in no order."""
    written = json.loads((work / "target/semantic_manifest.json").read_text())
    for key in ("semantic_models", "metrics", "saved_queries"):
        written[key] = {entry["name"]: entry for entry in written[key]}
    spines = written["project_configuration"]["time_spines"]
    spines.sort(key=lambda spine: spine["node_relation"]["alias"])
    return written if written["semantic_models"] else None


def sources(written):
    kept = {}
    for entry in written["results"]:
        kept[entry["unique_id"]] = {
            key: value
            for key, value in entry.items()
            if key in ("status", "criteria", "error", "adapter_response")
        }
    return kept


def broken(work):
    """Exit code and words for every case of broken.yml: a sound project with some files changed."""
    found = {}
    for case in yaml.safe_load((HERE / "broken.yml").read_text()):
        folder = work / case["name"].replace(" ", "-")
        shutil.copytree(HERE / "sound", folder)
        shutil.copy(HERE / "profiles.yml", folder)
        for path, text in (case.get("files") or {}).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        for path in case.get("without") or []:
            (folder / path).unlink()
        os.chdir(folder)
        fresh_database()
        if "sql" in case:
            execute(os.environ["COMPAT_DATABASE"], case["sql"])
        before = dict(os.environ)
        os.environ.update(case.get("env") or {})
        result, error = invoke(arguments_of(case.get("args", "build")), folder)
        os.environ.clear()
        os.environ.update(before)
        messages = [
            entry.message for entry in getattr(result.result, "results", None) or [] if entry.status not in ("success", "pass")
        ]
        words = [told(str(message), folder) for message in messages if message]
        found[case["name"]] = {"exit": exit_code(result), "error": error, "messages": words}
    return found


def main():
    if sys.argv[1:] == ["--fresh-database"]:
        fresh_database()
        return
    output, wanted = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    output.mkdir(parents=True, exist_ok=True)
    os.environ["DBT_PROFILES_DIR"] = "."
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
    names = sorted(path.parent.name for path in HERE.glob("*/steps.yml"))
    for name in [*names, "broken"]:
        if wanted and name not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            work = pathlib.Path(folder).resolve() / name
            found = broken(work) if name == "broken" else project(name, work)
            os.chdir("/")
        text = json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False)
        (output / f"{name}.json").write_text(text + "\n")
        print(f"recorded {name}", file=sys.stderr)


main()
