//! How fast a day goes to the lake and is proven there, and in how much memory.
//!
//! `cargo bench -p lake --bench move` needs Postgres and the object store of `make up`; `RIDEHAIL_BENCH_ROWS` (2,000,000)
//! and `RIDEHAIL_BENCH_RUNS` (3) change the size. Times are medians of the runs, in one process. Memory is this
//! process's peak, all steps together.

#![expect(clippy::print_stdout, reason = "figures are what a bench is for")]

use std::time::{Duration, Instant};

use lake::digest::Digester;
use lake::read;
use lake::readback::{self, File};
use lake::witness::{Observer, Witness};
use lake::write::{self, Place};
use uuid::Uuid;

#[expect(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/it/bed.rs"]
mod bed;

use bed::Bed;

const DAY: &str = "2026-11-20";

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let rows = setting("RIDEHAIL_BENCH_ROWS", 2_000_000);
    let runs = setting("RIDEHAIL_BENCH_RUNS", 3);
    let bed = Bed::new().await;
    let rides = [
        ("{table}", "rides"),
        ("{partitioning}", ""),
        ("{partitions}", ""),
        ("{day}", DAY),
        ("{rows}", &rows.to_string()),
    ];
    let fill = include_str!("rides.sql").to_owned();
    let fill = rides
        .iter()
        .fold(fill, |sql, (what, by)| sql.replace(what, by));
    bed.sql(&fill).await;
    bed.sql("vacuum analyze rides").await;
    let heap: u64 = bed
        .value("select pg_table_size('rides')")
        .await
        .parse()
        .expect("bytes");
    let shape = bed.shape("rides").await.expect("can be archived");
    let table = bed.table("rides", &shape, "at");
    let select = format!("select {} from rides order by at", shape.select_list());
    let unsorted = format!("select {} from rides", shape.select_list());
    let options = || read::Options::default();

    let [
        mut copied,
        mut digested,
        mut written,
        mut witnessed,
        mut both,
        mut reread,
        mut whole,
    ] = [const { Vec::<Took>::new() }; 7];
    let mut bytes = 0;
    for run in 0..runs {
        // the floor: what it takes to have the rows as Arrow
        let start = Start::now();
        let mut from = read::rows(bed.connection().await, &unsorted, &shape, options());
        while let Some(batch) = from.next().await {
            batch.expect("rows come");
        }
        copied.push(start.took());

        let start = Start::now();
        let mut from = read::rows(bed.connection().await, &unsorted, &shape, options());
        let mut digester = Digester::new(&shape);
        while let Some(batch) = from.next().await {
            digester.update(&batch.expect("rows come"));
        }
        digested.push(start.took());
        let digest = digester.finish();

        let copy = async || {
            let attempt = Uuid::new_v4();
            let place = Place {
                attempt,
                named: attempt,
                move_id: Uuid::new_v4(),
                flush: 0,
                day: DAY.parse().expect("a day"),
            };
            let mut from = read::rows(bed.connection().await, &select, &shape, options());
            let done = write::write(&table, &bed.store, &shape, from.stream(), place).await;
            done.expect("is written")
        };
        let ask = async || {
            let mut connection = bed.connection().await;
            let serial = "set max_parallel_workers_per_gather = 0";
            sqlx::raw_sql(serial)
                .execute(&mut connection)
                .await
                .expect("sets");
            let said = Witness::of_postgres(&mut connection, "from rides", &shape).await;
            said.expect("counts")
        };
        // what goes on at once in a move, one after the other
        let start = Start::now();
        let done = copy().await;
        written.push(start.took());
        assert_eq!(done.digest, digest);
        let start = Start::now();
        ask().await;
        witnessed.push(start.took());

        // as a move does it
        let start = Start::now();
        let (done, said) = tokio::join!(copy(), ask());
        both.push(start.took());
        assert_eq!(done.digest, digest);
        bytes = done.bytes;

        let again = Start::now();
        let files: Vec<File> = done.files.iter().map(File::from).collect();
        let mut observer = Observer::new(&shape);
        let schema = table.metadata().current_schema();
        let read_again = readback::digest(&bed.store, schema, &shape, &files, None, |batch| {
            observer.observe(batch);
            Ok(())
        });
        assert_eq!(read_again.await.expect("is read"), done.digest);
        reread.push(again.took());
        assert_eq!(said, observer.finish());
        whole.push(start.took());
        println!(
            "run {}: {:.2} s end to end",
            run + 1,
            start.took().elapsed.as_secs_f64()
        );
    }
    let floor = median(&copied).0;
    let line = |what: &str, took: &[Took]| {
        let (median, cpu) = median(took);
        let rate = rows as f64 / median / 1e6;
        let ratio = median / floor;
        println!(
            "{what:44} {median:7.3} s {rate:7.3} M rows/s {ratio:6.2} x the floor {cpu:7.2} s CPU"
        );
    };
    println!(
        "{rows} rows x {} columns, medians of {runs}",
        shape.columns.len()
    );
    line("COPY and decode (the floor)", &copied);
    line("COPY, decode, digest", &digested);
    line("COPY, sort, decode, digest, Parquet, store", &written);
    line("witness in SQL", &witnessed);
    line("both at once", &both);
    line("read back, digest, observe", &reread);
    line("verified end to end", &whole);
    println!(
        "{:.1} bytes a row in the lake, {:.1} in Postgres; peak memory {} MB",
        bytes as f64 / rows as f64,
        heap as f64 / rows as f64,
        peak_memory_kb() / 1024
    );
    bed.clean().await;
}

/// When something began, and what CPU time this process had used by then.
struct Start {
    at: Instant,
    cpu: Duration,
}

/// What it took.
#[derive(Clone, Copy)]
struct Took {
    elapsed: Duration,
    cpu: Duration,
}

impl Start {
    fn now() -> Self {
        Self {
            at: Instant::now(),
            cpu: cpu_time(),
        }
    }

    fn took(&self) -> Took {
        Took {
            elapsed: self.at.elapsed(),
            cpu: cpu_time().saturating_sub(self.cpu),
        }
    }
}

/// Median seconds and median CPU seconds.
fn median(took: &[Took]) -> (f64, f64) {
    let of = |time: fn(&Took) -> Duration| {
        let mut times: Vec<Duration> = took.iter().map(time).collect();
        times.sort();
        times[times.len() / 2].as_secs_f64()
    };
    (of(|took| took.elapsed), of(|took| took.cpu))
}

/// User and system time of all threads, as Linux counts it in hundredths; 0 elsewhere.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // the name, in parentheses, may hold anything; user and system time are the 12th and 13th after it
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// As Linux counts it; 0 elsewhere.
fn peak_memory_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}
