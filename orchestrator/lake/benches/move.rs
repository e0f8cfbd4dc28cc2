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
        mut reread,
        mut witnessed,
        mut whole,
    ] = [const { Vec::<Duration>::new() }; 6];
    let mut bytes = 0;
    for run in 0..runs {
        // the floor: what it takes to have the rows as Arrow
        let start = Instant::now();
        let mut from = read::rows(bed.connection().await, &unsorted, &shape, options());
        while let Some(batch) = from.next().await {
            batch.expect("rows come");
        }
        copied.push(start.elapsed());

        let start = Instant::now();
        let mut from = read::rows(bed.connection().await, &unsorted, &shape, options());
        let mut digester = Digester::new(&shape);
        while let Some(batch) = from.next().await {
            digester.update(&batch.expect("rows come"));
        }
        digested.push(start.elapsed());
        let digest = digester.finish();

        // a move's steps, one after the other
        let place = Place {
            attempt: Uuid::new_v4(),
            move_id: Uuid::new_v4(),
            flush: 0,
            day: DAY.parse().expect("a day"),
        };
        let start = Instant::now();
        let mut from = read::rows(bed.connection().await, &select, &shape, options());
        let done = write::write(&table, &bed.store, &shape, from.stream(), place).await;
        let done = done.expect("is written");
        written.push(start.elapsed());
        assert_eq!(done.digest, digest);
        bytes = done.bytes;

        let again = Instant::now();
        let files: Vec<File> = done.files.iter().map(File::from).collect();
        let mut observer = Observer::new(&shape);
        let schema = table.metadata().current_schema();
        let read_again = readback::digest(&bed.store, schema, &shape, &files, None, |batch| {
            observer.observe(batch);
            Ok(())
        });
        assert_eq!(read_again.await.expect("is read"), done.digest);
        reread.push(again.elapsed());

        let asked = Instant::now();
        let mut connection = bed.connection().await;
        let said = Witness::of_postgres(&mut connection, "from rides", &shape).await;
        assert_eq!(said.expect("counts"), observer.finish());
        witnessed.push(asked.elapsed());
        whole.push(start.elapsed());
        println!(
            "run {}: {:.2} s end to end",
            run + 1,
            start.elapsed().as_secs_f64()
        );
    }
    let floor = median(&mut copied);
    let line = |what: &str, times: &mut Vec<Duration>| {
        let median = median(times);
        let rate = rows as f64 / median / 1e6;
        let ratio = median / floor;
        println!("{what:44} {median:7.3} s {rate:7.3} M rows/s {ratio:6.2} x the floor");
    };
    println!(
        "{rows} rows x {} columns, medians of {runs}",
        shape.columns.len()
    );
    line("COPY and decode (the floor)", &mut copied);
    line("COPY, decode, digest", &mut digested);
    line("COPY, sort, decode, digest, Parquet, store", &mut written);
    line("read back, digest, observe", &mut reread);
    line("witness in SQL", &mut witnessed);
    line("verified end to end", &mut whole);
    println!(
        "{:.1} bytes a row in the lake, {:.1} in Postgres; peak memory {} MB",
        bytes as f64 / rows as f64,
        heap as f64 / rows as f64,
        peak_memory_kb() / 1024
    );
    bed.clean().await;
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// As Linux counts it; 0 elsewhere.
fn peak_memory_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}
