"""What the SQL engine costs: ratios against dbt, and against the same SQL in one psql session.

Usage: bench_sql.py [PART...], all parts when none is named: jaffle models tests parse view seed.

Medians of BENCH_ROUNDS (3); dbt runs once where it takes a minute. `jaffle` needs BENCH_JAFFLE, a checkout of
dbt-labs/jaffle-shop-classic. BENCH_DBT=no leaves dbt out. Works in a database of its own, dropped in the end.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
WITH_DBT = os.environ.get("BENCH_DBT", "yes") != "no"
DATABASE = f"bench_sql_{os.getpid()}"
MODELS = 1000
SEED_ROWS = 206_636
PROFILE = """ridehail:
  target: dev
  outputs:
    dev:
      type: postgres
      host: "{{ env_var('RIDEHAIL_PG_HOST') }}"
      port: "{{ env_var('RIDEHAIL_PG_PORT') | as_number }}"
      user: "{{ env_var('RIDEHAIL_PG_USER') }}"
      password: "{{ env_var('RIDEHAIL_PG_PASSWORD') }}"
      dbname: "{{ env_var('RIDEHAIL_PG_DATABASE') }}"
      schema: "{{ env_var('RIDEHAIL_PG_SCHEMA') }}"
      threads: 4
"""
work = Path(tempfile.mkdtemp())
quiet = os.environ | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "RIDEHAIL_PG_DATABASE": DATABASE}


# Running -------------------------------------------------------------------------------------------------------------

def run(command: list[str], **env: str) -> float:
    """Seconds of a process that must succeed."""
    start = time.monotonic()
    done = subprocess.run(command, env=quiet | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seconds = time.monotonic() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}")
    return seconds


def psql(*arguments: str) -> float:
    url = re.sub(r"/[^/?]+(\?|$)", rf"/{DATABASE}\1", os.environ["RIDEHAIL_DATABASE_URL"])
    return run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", *arguments, url])


def ours(verb: str, folder: Path, *more: str) -> float:
    return tool(os.environ["RIDEHAIL"], "ours", verb, folder, more)


def dbt(verb: str, folder: Path, *more: str) -> float:
    return tool(os.environ["DBT"], "dbt", verb, folder, more)


def tool(binary: str, name: str, verb: str, folder: Path, more: tuple[str, ...]) -> float:
    out = work / name / folder.name
    return run(
        [binary, verb, "--project-dir", str(folder), "--profiles-dir", str(work), "--target-path", str(out),
         "--log-path", str(out), *more],
        RIDEHAIL_PG_SCHEMA=name,
    )


def dropped(schema: str) -> None:
    # many relations in one transaction take more locks than a server has by default
    listed = f"select format('drop %s if exists %I.%I cascade', case relkind when 'v' then 'view' else 'table' end, " \
             f"relnamespace::regnamespace, relname) from pg_class where relkind in ('v', 'r') " \
             f"and relnamespace = to_regnamespace('{schema}') \\gexec"
    script = work / "drop.sql"
    script.write_text(f"set client_min_messages = warning;\n{listed}\ndrop schema if exists {schema} cascade;\n")
    psql("-f", str(script))


def medians(work_: Callable[[], float], before: Callable[[], None] = lambda: None, rounds: int = ROUNDS) -> float:
    times = []
    for _ in range(rounds):
        before()
        times.append(work_())
    return median(times)


def say(what: str, own: float, **others: float) -> None:
    said = [f"{what:34} {own:8.3f} s"]
    for name, seconds in others.items():
        if name == "dbt":
            said.append(f"dbt {seconds:.2f} s: {seconds / own:.0f} times faster")
        else:
            said.append(f"{name} {seconds:.3f} s: {own / seconds:.2f} times that")
    print("; ".join(said), flush=True)


def peer(measure: Callable[[], float], before: Callable[[], None] = lambda: None) -> dict[str, float]:
    return {"dbt": medians(measure, before, 1)} if WITH_DBT else {}


# Projects ------------------------------------------------------------------------------------------------------------

def big(models: int) -> Path:
    folder = work / f"big_{models}"
    if not folder.exists():
        subprocess.run([sys.executable, HERE / "big_project.py", folder, "--models", str(models)], check=True)
    return folder


def small(name: str, **files: str) -> Path:
    folder = work / name
    for sub in ("models", "seeds"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    (folder / "dbt_project.yml").write_text(f"name: {name}\nversion: '1.0'\nprofile: ridehail\n")
    for path, text in files.items():
        kind, _, rest = path.partition("__")
        (folder / kind / rest.replace("_csv", ".csv").replace("_sql", ".sql")).write_text(text)
    return folder


def in_order(manifest: dict, kind: str) -> list[dict]:
    """The nodes of a kind, each behind what it depends on."""
    nodes, seen, order = manifest["nodes"], set(), []

    def visit(unique_id: str) -> None:
        node = nodes.get(unique_id)
        if node is None or unique_id in seen:
            return
        seen.add(unique_id)
        for below in node["depends_on"]["nodes"]:
            visit(below)
        if node["resource_type"] == kind:
            order.append(node)

    for unique_id in nodes:
        visit(unique_id)
    return order


def floor(folder: Path, kind: str) -> Path:
    """What a build sends, as one script: each model made aside and swapped in, each test's question."""
    out = work / "ours" / folder.name
    manifest = json.loads((out / "manifest.json").read_text())
    lines = ["set client_min_messages = warning;", 'create schema if not exists "floor";']
    for node in in_order(manifest, kind):
        path = out / "compiled" / manifest["metadata"]["project_name"] / node["original_file_path"]
        if kind == "test":
            path /= node["path"]
        sql = path.read_text().replace('"ours"', '"floor"')
        if kind == "test":
            lines.append("select count(*) as failures, count(*) != 0 as should_warn, count(*) != 0 as should_error "
                         f"from (\n{sql}\n) dbt_internal_test;")
            continue
        name, what = f'"floor"."{node["alias"]}', node["config"]["materialized"]
        lines.append(f'begin;\ncreate {what} {name}__dbt_tmp" as (\n{sql}\n);')
        lines.append(f'alter {what} {name}__dbt_tmp" rename to "{node["alias"]}";\ncommit;')
    script = work / f"floor_{kind}.sql"
    script.write_text("\n".join(lines) + "\n")
    return script


# Parts ---------------------------------------------------------------------------------------------------------------

def jaffle() -> None:
    source = os.environ.get("BENCH_JAFFLE")
    if not source:
        print("jaffle: left out, BENCH_JAFFLE names no checkout of jaffle-shop-classic")
        return
    folder = work / "jaffle"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("target", "logs", ".git"))
    more = ("--profile", "ridehail")
    own = medians(lambda: ours("build", folder, *more))
    theirs = {"dbt": medians(lambda: dbt("build", folder, *more))} if WITH_DBT else {}
    say("jaffle-shop-classic, build", own, **theirs)


def models() -> None:
    folder = big(MODELS)
    own = medians(lambda: ours("run", folder), lambda: dropped("ours"))
    script = floor(folder, "model")
    base = medians(lambda: psql("-o", os.devnull, "-f", str(script)), lambda: dropped("floor"))
    say(f"{MODELS} models, first run", own, psql=base, **peer(lambda: dbt("run", folder), lambda: dropped("dbt")))


def tests() -> None:
    folder = big(MODELS)
    ours("run", folder)
    own = medians(lambda: ours("test", folder))
    dropped("floor")
    psql("-o", os.devnull, "-f", str(floor(folder, "model")))
    script = floor(folder, "test")
    base = medians(lambda: psql("-o", os.devnull, "-f", str(script)))
    if WITH_DBT:
        dbt("run", folder)
    say(f"{2 * MODELS} tests", own, psql=base, **peer(lambda: dbt("test", folder)))


def parse() -> None:
    for count in (1000, 10_000):
        folder = big(count)
        cold = ("--no-partial-parse",)
        own = medians(lambda: ours("parse", folder, *cold))
        theirs = peer(lambda: dbt("parse", folder, *cold)) if count == 1000 else {}
        say(f"parse of {count} models, cold", own, **theirs)
        ours("parse", folder)
        say(f"parse of {count} models, again", medians(lambda: ours("parse", folder)))


def view() -> None:
    folder = small("trivial", models__one_sql="select 1 as id\n")
    ours("run", folder)
    script = work / "view.sql"
    script.write_text('create schema if not exists "floor";\nbegin;\ncreate or replace view "floor".one as (\nselect 1 as id\n);\ncommit;\n')
    own, base = medians(lambda: ours("run", folder)), medians(lambda: psql("-f", str(script)))
    theirs = {}
    if WITH_DBT:
        dbt("run", folder)
        theirs["dbt"] = medians(lambda: dbt("run", folder))
    say("one trivial view, warm", own, psql=base, **theirs)


def seed() -> None:
    lines = [f"{i},name {i},{i % 900}.{i % 100:02d},2026-{i % 12 + 1:02d}-{i % 28 + 1:02d}" for i in range(SEED_ROWS)]
    folder = small("seeds", seeds__rows_csv="id,name,amount,day\n" + "\n".join(lines) + "\n")
    own = medians(lambda: ours("seed", folder, "--full-refresh"))
    script = work / "copy.sql"
    script.write_text('create schema if not exists "floor";\ndrop table if exists "floor".rows;\n'
                      'create table "floor".rows (id integer, name text, amount numeric, day date);\n'
                      f"\\copy \"floor\".rows from '{folder}/seeds/rows.csv' (format csv, header)\n")
    base = medians(lambda: psql("-f", str(script)))
    say(f"a seed of {SEED_ROWS} rows", own, COPY=base, **peer(lambda: dbt("seed", folder)))


def main() -> None:
    parts = {part.__name__: part for part in (jaffle, models, tests, parse, view, seed)}
    wanted = sys.argv[1:] or list(parts)
    if unknown := set(wanted) - set(parts):
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    (work / "profiles.yml").write_text(PROFILE)
    server = os.environ["RIDEHAIL_DATABASE_URL"]
    subprocess.run(["psql", "-qX", "-c", f"create database {DATABASE}", server], check=True)
    try:
        for part in wanted:
            parts[part]()
    finally:
        subprocess.run(["psql", "-qX", "-c", f"drop database {DATABASE} with (force)", server], check=True)
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
