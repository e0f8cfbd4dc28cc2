"""What a move to the lake costs, against a peer and against doing nothing; one table of ratios at the end.

Usage: bench_lake.py [MOVE_LOG]. MOVE_LOG is what `cargo bench -p lake --bench move` printed, for the floor.

The peer is what one writes in a few lines: the ADBC driver reads a day as Arrow, pyiceberg appends it. It verifies
nothing. Needs a stack with Trino; works in a schema of its own, which it drops in the end.

  BENCH_LAKE_ROWS=2000000  rows a day, and of the 90 days together      BENCH_ROUNDS=3      medians of so many
  BENCH_LAKE_SECONDS=30    how long latencies are measured              BENCH_LAKE_RATE=20MB  the slow move's --rate
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import date, timedelta
from glob import glob
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psycopg

from lake_sql import ask_trino
from lake_tables import clean, connect

ROWS = int(os.environ.get("BENCH_LAKE_ROWS", "2000000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = int(os.environ.get("BENCH_LAKE_SECONDS", "30"))
RATE = os.environ.get("BENCH_LAKE_RATE", "20MB")
SCHEMA = f"bench_lake_{os.getpid()}"
FIRST = date(2026, 1, 1)
SQL = Path(__file__).parents[1] / "orchestrator/lake/benches/rides.sql"


class Cost(NamedTuple):
    seconds: float
    peak_mb: float
    printed: str


def run(*command: str) -> Cost:
    """A process to its end, with the most memory it had."""
    with tempfile.TemporaryFile("w+") as output:
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        output.seek(0)
        printed = output.read()
    if status:
        sys.exit(f"{' '.join(command)}\n{printed}")
    return Cost(seconds, usage.ru_maxrss / 1024, printed)


def fill(cursor: psycopg.Cursor, table: str, days: Iterable[date], rows: int) -> None:
    for day in days:
        to = day + timedelta(days=1)
        partition = f"create table {table}_{day:%Y%m%d} partition of {table} for values from ('{day} 00:00Z') to ('{to} 00:00Z');"
        values = {"table": table, "partitioning": "partition by range (at)", "partitions": partition, "day": str(day), "rows": str(rows)}
        cursor.execute(re.sub(r"\{(\w+)\}", lambda match: values[match[1]], SQL.read_text()))
        cursor.execute(f"vacuum analyze {table}_{day:%Y%m%d}")


# Moves ---------------------------------------------------------------------------------------------------------------

def project(folder: str) -> None:
    policy = "config: {meta: {archive: {after: 30 days, partition: at, key: [ride_id, at]}}}"
    sources = "".join(f"      - name: {name}\n        {policy}\n" for name in ("rides", "history"))
    Path(folder, "dbt_project.yml").write_text('name: bench\nversion: "1.0"\nprofile: ridehail\nmodel-paths: [.]\n')
    Path(folder, "sources.yml").write_text(f"version: 2\nsources:\n  - name: {SCHEMA}\n    tables:\n{sources}")


def archive(folder: str, table: str, last: date, *more: str) -> list[str]:
    """The command that moves a table's days up to this one."""
    where = ["--project-dir", folder, "--profiles-dir", "models", "--target-path", f"{folder}/target"]
    now = f"{last + timedelta(days=31)}T00:00:00Z"
    return [os.environ["RIDEHAIL"], "archive", "run", "--no-record", *where, "-s", f"source:{SCHEMA}.{table}", "--now", now, *more]


def peer(partition: str) -> None:
    """In a process of its own: the partition into an Iceberg table with the types and partitions that ours has."""
    import adbc_driver_postgresql.dbapi
    import pyarrow as pa
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.transforms import DayTransform

    env = os.environ
    with tempfile.TemporaryDirectory() as folder:
        catalog = SqlCatalog(
            "peer",
            uri=f"sqlite:///{folder}/catalog.db",
            warehouse=f"s3://{env['RIDEHAIL_S3_BUCKET']}/bench_peer",
            **{
                "s3.endpoint": env["RIDEHAIL_S3_ENDPOINT"],
                "s3.region": env["RIDEHAIL_S3_REGION"],
                "s3.access-key-id": env["RIDEHAIL_S3_ACCESS_KEY"],
                "s3.secret-access-key": env["RIDEHAIL_S3_SECRET_KEY"],
            },
        )
        catalog.create_namespace("peer")
        # numbers come as text
        numbers = {"fare": pa.decimal128(12, 2), "tip": pa.decimal128(8, 2)}
        start = time.monotonic()
        with adbc_driver_postgresql.dbapi.connect(env["RIDEHAIL_DATABASE_URL"]) as connection, connection.cursor() as cursor:
            cursor.execute(f"select * from {partition}")
            rows = cursor.fetch_arrow_table()
        fields = [pa.field(f.name, numbers.get(f.name, f.type)) for f in rows.schema]
        columns = [rows[f.name].cast(pa.string()).cast(f.type) if f.name in numbers else rows[f.name] for f in fields]
        rows = pa.table(columns, schema=pa.schema(fields))
        table = catalog.create_table("peer.rides", rows.schema)
        with table.update_spec() as spec:
            spec.add_field("at", DayTransform(), "at_day")
        table.append(rows)
        seconds = time.monotonic() - start
        files = [task.file for task in table.scan().plan_files()]
        print(json.dumps({"seconds": seconds, "rows": sum(f.record_count for f in files), "bytes": sum(f.file_size_in_bytes for f in files)}))
        catalog.purge_table("peer.rides")


# Latency -------------------------------------------------------------------------------------------------------------

WORKLOAD = """
\\set id random(1, {rows})
select * from {table} where ride_id = :id and at >= '{hot} 00:00Z';
insert into {table} (ride_id, at, city, driver_id, rider_id, status, fare)
values (:id, '{hot} 23:59:59Z', 'oslo', 1, 1, 'completed', 1);
"""


def latencies(pgbench: str, folder: str, hot: date, command: list[str] | None) -> list[float]:
    """Milliseconds of point selects and small inserts on the table's newest day, 100 of each a second, while the command
    runs. The pace does not wait for slow answers, so none hides the next ones."""
    for log in Path(folder).glob("latency*"):
        log.unlink()
    script = Path(folder, "workload.sql")
    script.write_text(WORKLOAD.format(rows=ROWS // 10, table=f"{SCHEMA}.rides", hot=hot))
    arguments = ["-n", "-c", "4", "-j", "1", "-R", "100", "-T", str(SECONDS), "-f", str(script), "-l", f"--log-prefix={folder}/latency"]
    load = subprocess.Popen([pgbench, *arguments, os.environ["RIDEHAIL_DATABASE_URL"]], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(1)
    start, end = time.time(), time.time() + SECONDS
    if command:
        run(*command)
        end = time.time()
    if load.wait():
        sys.exit(load.stderr.read().decode())
    # client, transaction, microseconds, script, seconds and microseconds of its end, lag
    lines = [line.split() for log in Path(folder).glob("latency*") for line in log.read_text().splitlines()]
    return sorted(int(line[2]) / 1000 for line in lines if start <= int(line[4]) + int(line[5]) / 1e6 <= end)


def at(part: float, ordered: list[float]) -> float:
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


# What is compared ----------------------------------------------------------------------------------------------------

class Line(NamedTuple):
    what: str
    ours: float
    whose: str
    theirs: float
    unit: str
    more_is_better: bool = False

    def __str__(self) -> str:
        ratio = self.ours / self.theirs if self.more_is_better else self.theirs / self.ours
        return f"{self.what:50} {self.ours:9.3f}  {self.whose:30} {self.theirs:9.3f}  {self.unit:9} {ratio:6.2f}"


def million(rows: int, seconds: Iterable[float]) -> float:
    return rows / median(seconds) / 1e6


def parts(log: str) -> Iterable[Line]:
    """From what the crate's own bench printed."""

    def figure(what: str) -> float:
        return float(re.search(rf"^{re.escape(what)} +[\d.]+ s +([\d.]+) M rows/s", log, re.M)[1])

    floor = figure("COPY and decode (the floor)")
    yield Line("copied and verified, in one process", figure("verified end to end"), "COPY and decode, the floor", floor, "M rows/s", True)


def moves(cursor: psycopg.Cursor, folder: str, days: list[date], to_the_end: list[date], together: list[date]) -> Iterable[Line]:
    cursor.execute(f"select pg_table_size('rides_{days[0]:%Y%m%d}') / {ROWS}::float8")
    [(heap,)] = cursor.fetchall()
    ours, whole, theirs, their_bytes = [], [], [], []

    def by_us(day: date) -> None:
        ours.append(run(*archive(folder, "rides", day, "--until", "committed")))

    def by_peer(day: date) -> None:
        cost = run(sys.executable, __file__, "peer", f"{SCHEMA}.rides_{day:%Y%m%d}")
        said = json.loads(cost.printed.splitlines()[-1])
        assert said["rows"] == ROWS, said
        theirs.append(cost._replace(seconds=said["seconds"]))
        their_bytes.append(said["bytes"] / ROWS)

    for n, day in enumerate(days):
        say(f"move {n + 1} of {len(days)}")
        for step in (by_us, by_peer) if n % 2 else (by_peer, by_us):  # neither always finds warm caches
            step(day)
        run(*archive(folder, "rides", day))
    for n, day in enumerate(to_the_end):
        say(f"move {n + 1} of {len(to_the_end)}, to the end")
        whole.append(run(*archive(folder, "rides", day)))
    say(f"{len(together)} days at once, to the end")
    batch = run(*archive(folder, "rides", together[-1]))
    cursor.execute(
        "select sum(f.bytes) / sum(f.rows)::float8 from lake.files f join lake.moves using (move_id, attempt) where table_schema = %s",
        (SCHEMA,),
    )
    [(bytes_,)] = cursor.fetchall()
    rate, their_rate = million(ROWS, (c.seconds for c in ours)), million(ROWS, (c.seconds for c in theirs))
    peak, their_peak = (median(c.peak_mb for c in costs) for costs in (ours, theirs))
    yield Line("archive run, copied, verified, committed", rate, "ADBC + pyiceberg, unverified", their_rate, "M rows/s", True)
    yield Line("archive run to the end, dropped", million(ROWS, (c.seconds for c in whole)), "ADBC + pyiceberg, unverified", their_rate, "M rows/s", True)
    yield Line(f"the same of {len(together)} days at once", million(ROWS * len(together), [batch.seconds]), "ADBC + pyiceberg, unverified", their_rate, "M rows/s", True)
    yield Line("its peak memory", max(peak, batch.peak_mb), "ADBC + pyiceberg", their_peak, "MB")
    yield Line("a row in Parquet", float(bytes_), "ADBC + pyiceberg", median(their_bytes), "bytes")
    yield Line("a row in Parquet", float(bytes_), "Postgres' heap", heap, "bytes")


def load(folder: str, hot: date, moved: date, slowly_moved: date) -> Iterable[Line]:
    pgbench = shutil.which("pgbench") or next(iter(sorted(glob("/usr/lib/postgresql/*/bin/pgbench"), reverse=True)), None)
    if not pgbench:
        say("no pgbench here: no latencies")
        return
    say(f"latencies, {SECONDS} s each")
    alone = latencies(pgbench, folder, hot, None)
    for name, command in (
        ("beside a move", archive(folder, "rides", moved)),
        (f"beside a move at --rate {RATE}", archive(folder, "rides", slowly_moved, "--rate", RATE)),
    ):
        beside = latencies(pgbench, folder, hot, command)
        for part in (50, 95, 99):
            yield Line(f"p{part} {name} ({len(beside)} tx)", at(part / 100, beside), f"alone ({len(alone)} tx)", at(part / 100, alone), "ms")


def history(cursor: psycopg.Cursor, folder: str) -> Iterable[Line]:
    """All days of a table, asked in Postgres, moved, and asked in Trino's view."""
    days = [FIRST + timedelta(days=n) for n in range(90)]
    each = ROWS // len(days)
    say(f"{len(days)} days of {each} rows: asked, moved, asked again")
    fill(cursor, "history", days, each)
    question = "select {day} as day, count(*) as n, cast(sum(fare) as varchar) as fare from {relation} group by 1 order by 1"
    before, after = [], []
    for _ in range(ROUNDS):
        start = time.monotonic()
        cursor.execute(question.format(day="cast((at at time zone 'UTC')::date as varchar)", relation="history"))
        rows = cursor.fetchall()
        before.append(time.monotonic() - start)
    cost = run(*archive(folder, "history", days[-1], "--batch-days", str(len(days))))
    cursor.execute("select count(*), (select view_name from lake.tables where table_name = 'history' and table_schema = %s) from history", (SCHEMA,))
    [(left, view)] = cursor.fetchall()
    assert left == 0, f"{left} rows did not leave"
    for _ in range(ROUNDS):
        start = time.monotonic()
        answer = ask_trino(question.format(day="cast(date(at at time zone 'UTC') as varchar)", relation=f'history."{view}"'))
        after.append(time.monotonic() - start)
        assert [tuple(line.values()) for line in answer] == rows, "the view does not answer as Postgres did"
    yield Line(f"count and sum by day, {len(days)} days, Trino's view", median(after), "Postgres, before the move", median(before), "s")
    say(f"{len(days)} days in {cost.seconds:.1f} s: {million(each * len(days), [cost.seconds]):.3f} M rows/s to the end, {cost.peak_mb:.0f} MB")


def say(what: str) -> None:
    print(what, file=sys.stderr)


def main(move_log: str | None = None) -> None:
    all_days = [FIRST + timedelta(days=n) for n in range(2 * ROUNDS + 6)]
    days, to_the_end, together = all_days[:ROUNDS], all_days[ROUNDS : 2 * ROUNDS], all_days[2 * ROUNDS : -3]
    moved, slowly_moved, hot = all_days[-3:]
    with tempfile.TemporaryDirectory() as folder, connect() as connection, connection.cursor() as cursor:
        project(folder)
        cursor.execute(f"create schema {SCHEMA}; set search_path = {SCHEMA}")
        try:
            say(f"filling {len(all_days) - 1} days of {ROWS} rows")
            fill(cursor, "rides", all_days[:-1], ROWS)
            fill(cursor, "rides", [hot], ROWS // 10)
            cursor.execute(f"create index on rides_{hot:%Y%m%d} (ride_id)")
            lines = list(parts(Path(move_log).read_text())) if move_log else []
            lines += moves(cursor, folder, days, to_the_end, together)
            lines += load(folder, hot, moved, slowly_moved)
            lines += history(cursor, folder)
        finally:
            for name in ("rides", "history"):
                clean(cursor, SCHEMA, name, 0)
    print(f"\n{ROWS} rows x 12 columns a day; medians of {ROUNDS}; a ratio above 1 is better than what stands beside it")
    print(*lines, sep="\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["peer"]:
        peer(sys.argv[2])
    else:
        main(*sys.argv[1:])
