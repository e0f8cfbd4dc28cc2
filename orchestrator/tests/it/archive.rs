//! `ridehail archive` and `ridehail query`, on a small project with a partitioned source: six days of January, and
//! a clock by which four of them are due.

use insta::assert_snapshot;

use crate::bed::{Bed, signal, until};

/// 30 days after the fourth day's end.
pub(crate) const NOW: &str = "2026-02-04T00:00:00Z";
const ROWS: &str = "select count(*) from vault.readings";

/// The project in a database of its own, which no Trino knows.
fn vault() -> Bed {
    let bed = Bed::of("vault");
    fill(&bed);
    bed
}

pub(crate) fn fill(bed: &Bed) {
    let schema = bed.schema();
    bed.ask(&format!(
        "create schema if not exists {schema};
         create table {schema}.readings (sensor int4 not null, taken_at timestamptz not null, level numeric(6,2),
             note text, primary key (sensor, taken_at)) partition by range (taken_at);"
    ));
    for day in 1..=6 {
        let (from, to) = (day, day + 1);
        bed.ask(&format!(
            "create table {schema}.readings_2026010{from} partition of {schema}.readings
                 for values from ('2026-01-0{from} 00:00:00+00') to ('2026-01-0{to} 00:00:00+00');
             insert into {schema}.readings
                 select n, timestamptz '2026-01-0{from} 00:00:00+00' + n * interval '1 minute', n / 4.0,
                        case when n % 3 = 0 then 'é' end
                 from generate_series(1, 200) n;
             analyze {schema}.readings_2026010{from};"
        ));
    }
}

pub(crate) fn run(extra: &[&str]) -> Vec<String> {
    let all = [
        "archive",
        "run",
        "-s",
        "source:raw.readings",
        "--threads",
        "1",
        "--now",
        NOW,
    ];
    all.iter()
        .chain(extra)
        .map(|&word| word.to_owned())
        .collect()
}

pub(crate) fn words(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

#[test]
fn a_plan_changes_nothing() {
    let bed = vault();
    assert_snapshot!("archive_plan", bed.run(&["archive", "plan", "--now", NOW]));
    assert_snapshot!(
        "archive_plan_json",
        bed.run(&[
            "archive",
            "plan",
            "-s",
            "source:raw.readings",
            "--now",
            NOW,
            "-o",
            "json"
        ])
    );
    let dry = run(&["--dry-run"]);
    assert!(bed.run(&words(&dry)).contains("4 days"));
    assert_eq!(
        bed.ask("select count(*) from lake.moves").as_deref(),
        Some("0")
    );
    assert_eq!(bed.ask(ROWS).as_deref(), Some("1200"));
    assert!(
        bed.run(&["archive", "status"])
            .contains("vault.readings: not archived yet")
    );
}

#[test]
fn without_trino_rows_are_committed_and_stay_in_postgres() {
    let bed = vault();
    assert_snapshot!("archive_run_no_trino", bed.run(&words(&run(&[]))));
    assert_eq!(bed.ask(ROWS).as_deref(), Some("1200"));
    assert_snapshot!("archive_status", bed.run(&["archive", "status"]));
    assert_snapshot!(
        "archive_explain",
        bed.run(&["archive", "explain", "raw.readings"])
    );
    assert_snapshot!(
        "archive_explain_day",
        bed.run(&["archive", "explain", "readings", "--day", "2026-01-02"])
    );
    let young = bed.run(&["archive", "explain", "readings", "--day", "2026-01-09"]);
    assert!(
        young.contains("there is no partition of that day"),
        "{young}"
    );
    assert_snapshot!(
        "archive_verify",
        bed.run(&["archive", "verify", "readings", "--deep"])
    );
    let recorded = "select command || ' ' || state || ' ' || warned from ridehail.runs";
    assert_eq!(bed.ask(recorded).as_deref(), Some("archive success 1"));
    let node = "select unique_id || ' ' || message from ridehail.node_runs";
    assert_eq!(
        bed.ask(node).as_deref(),
        Some("source.vault.raw.readings MOVE 4 days, 800 rows")
    );
}

#[test]
fn what_is_wrong_in_the_archive_is_named() {
    let bed = vault();
    bed.run(&words(&run(&["--until", "committed"])));
    // a file that the ledger never wrote down, and one of another size
    bed.ask("delete from lake.files where path like '%2026-01-02%'");
    bed.ask("update lake.files set bytes = bytes + 1 where path like '%2026-01-03%'");
    let shallow = bed.run(&["archive", "verify"]);
    assert!(
        shallow.contains("vault.readings 2026-01-02 differs:\n  extra: s3://"),
        "{shallow}"
    );
    assert!(
        shallow.contains("vault.readings 2026-01-03 differs:\n  altered: "),
        "{shallow}"
    );
    assert!(
        shallow.contains("2 days differ") && shallow.ends_with("exit code Some(1)\n"),
        "{shallow}"
    );
    let other = bed.run(&["archive", "verify", "--day", "2026-01-01", "--deep"]);
    assert!(other.ends_with("exit code Some(0)\n"), "{other}");
}

#[test]
fn a_pause_is_honoured_and_told() {
    let bed = vault();
    assert_snapshot!(
        "archive_pause",
        bed.run(&["archive", "pause", "--reason", "a backup"])
    );
    let paused = bed.run(&words(&run(&[])));
    assert!(
        paused.contains("the archive is paused: a backup"),
        "{paused}"
    );
    assert!(paused.contains("WARN archived vault.readings"), "{paused}");
    assert_eq!(
        bed.ask("select count(*) from lake.moves").as_deref(),
        Some("0")
    );
    assert!(bed.run(&["archive", "status"]).contains("a backup"));
    bed.run(&["archive", "resume"]);
    let resumed = bed.run(&words(&run(&["--until", "copied"])));
    assert!(resumed.contains("exit code Some(0)"), "{resumed}");
    let states = "select string_agg(distinct state, ' ') from lake.moves";
    assert_eq!(bed.ask(states).as_deref(), Some("copied"));
}

#[test]
fn mistakes_in_a_policy_are_named_with_their_line() {
    let bed = vault();
    let file = "models/sources.yml";
    let good = bed.read(file);
    bed.write(file, &good.replace("{{ var('keep') }}", "soon"));
    assert_snapshot!("archive_bad_age", bed.run(&["archive", "plan"]));
    bed.write(
        file,
        &good.replace("key: [sensor, taken_at]", "keys: [sensor]"),
    );
    assert_snapshot!("archive_bad_key", bed.run(&["archive", "plan"]));
    bed.write(
        file,
        &good.replace("partition: taken_at", "partition: sensor"),
    );
    assert_snapshot!(
        "archive_refused",
        bed.run(&["archive", "plan", "--now", NOW])
    );
    assert_snapshot!("archive_run_refused", bed.run(&words(&run(&[]))));
    bed.write(file, &good);
    assert_snapshot!(
        "archive_unknown_table",
        bed.run(&["archive", "explain", "nothing"])
    );
    assert_snapshot!(
        "archive_bad_rate",
        bed.run(&["archive", "run", "--rate", "fast"])
    );
    assert_snapshot!(
        "archive_bad_state",
        bed.run(&["archive", "run", "--until", "moved"])
    );
    assert_snapshot!("archive_refused_ls", bed.run(&["archive", "refused", "ls"]));
    assert_snapshot!("archive_help", bed.run(&["archive", "--help"]));
}

#[test]
fn a_job_archives() {
    let bed = vault();
    bed.write(
        "jobs.yml",
        "jobs:\n  - name: nightly\n    command: archive\n    archive: {rate: 20MB, batch_days: 7}\n",
    );
    let jobs = bed.run(&["jobs", "ls", "-o", "json"]);
    let wanted = r#""command":"archive","indirect":"eager","full_refresh":false,"fail_fast":false,"retries":2,"archive":{"batch_days":7,"rate":"20000000"}"#;
    assert!(jobs.contains(wanted), "{jobs}");
    bed.write(
        "jobs.yml",
        "jobs:\n  - name: nightly\n    command: archive\n    archive: {rate: fast}\n",
    );
    assert_snapshot!("jobs_bad_rate", bed.run(&["jobs", "ls"]));
}

#[test]
fn a_query_without_trino_says_so() {
    let bed = vault();
    assert_snapshot!("query_no_trino", bed.run(&["query", "select 1"]));
    let nowhere = ["query", "select 1", "--trino-url", "http://127.0.0.1:1"];
    assert_snapshot!("query_unreachable", bed.run(&nowhere));
}

#[test]
fn days_leave_and_the_history_stays_whole() {
    let Some(bed) = Bed::with_trino("vault") else {
        return;
    };
    fill(&bed);
    let schema = bed.schema().to_owned();
    // another relation for the newest hours, as Druid is one
    bed.ask(&format!(
        "create table {schema}.newest as select n as sensor, timestamptz '2026-02-03 23:00:00+00' as taken_at
         from generate_series(1, 3) n"
    ));
    let policy = bed.read("models/sources.yml");
    let live = "live:
                relation: warehouse.{{ target.schema }}.newest
                time: taken_at
                columns: {sensor: sensor, taken_at: taken_at, taken: taken_at}";
    bed.write(
        "models/sources.yml",
        &format!("{policy}              {live}\n"),
    );
    let done = bed.run(&words(&run(&[])));
    assert!(done.contains("MOVE 4 days, 800 rows"), "{done}");
    assert!(done.contains("PASS=1 WARN=0"), "{done}");
    let left = format!("select count(*) from {schema}.readings");
    assert_eq!(bed.ask(&left).as_deref(), Some("400"));
    let view = format!("select view_name from lake.tables where table_schema = '{schema}'");
    let view = bed.ask(&view).unwrap();
    let sql = format!(
        "select count(*) as n, count(note) as notes, sum(level) as levels from \"{view}\";"
    );
    assert_snapshot!(
        "query_table",
        bed.run(&["query", &sql]).replace(&view, "[view]")
    );
    let csv = bed.run(&["query", &sql, "-o", "csv"]);
    assert!(csv.contains("n,notes,levels\n1200,396,30150.00\n"), "{csv}");
    let json = bed.run(&["query", &sql, "-o", "json"]);
    assert!(
        json.contains(r#"{"n":1200,"notes":396,"levels":"30150.00"}"#),
        "{json}"
    );
    let live = format!("select count(*) as n, count(level) as levels from lake.live.\"{view}\"");
    let live = bed.run(&["query", &live, "-o", "csv"]);
    assert!(live.contains("\n1203,1200\n"), "{live}");
    let alone = "select count(*) as n from live.warehouse_newest where taken >= timestamp '2026-02-03 00:00:00 UTC'";
    assert!(bed.run(&["query", alone, "-o", "csv"]).contains("n\n3\n"));
    let verified = bed.run(&["archive", "verify", &format!("{schema}.readings"), "--deep"]);
    assert!(
        verified.contains("4 days, 4 files, 800 rows read again; 0 days differ"),
        "{verified}"
    );
    let explained = bed.run(&[
        "archive",
        "explain",
        &format!("{schema}.readings"),
        "--day",
        "2026-01-01",
    ]);
    assert!(
        explained.contains("dropped: it is in Iceberg only"),
        "{explained}"
    );
}

#[test]
fn a_statement_that_fails_shows_where() {
    let Some(bed) = Bed::with_trino("vault") else {
        return;
    };
    let wrong = "select\n  nope\nfrom (values 1) as t (x)";
    assert_snapshot!("query_wrong_column", bed.run(&["query", wrong]));
    assert_snapshot!(
        "query_wrong_table",
        bed.run(&["query", "select * from nowhere.nothing"])
    );
    let some = [
        "query",
        "select * from unnest(sequence(1, 5)) as t (n)",
        "--max-rows",
        "3",
    ];
    assert_snapshot!("query_max_rows", bed.run(&some));
    let values = "select * from (values (1, 'a', null), (22, null, true)) as t (n, word, truth)";
    assert_snapshot!("query_values", bed.run(&["query", values]));
}

#[test]
fn an_interrupt_stops_the_statement_on_trino() {
    let Some(bed) = Bed::with_trino("vault") else {
        return;
    };
    let marker = bed.schema().to_owned();
    let long = format!(
        "select count(*) as {marker} from unnest(sequence(1, 10000)) cross join unnest(sequence(1, 10000))
         cross join unnest(sequence(1, 10000))"
    );
    let arguments = ["query", &long];
    let child = bed.command(&arguments).spawn().unwrap();
    let asked = |wanted: &str| {
        let states = format!(
            "select state from system.runtime.queries
             where query like 'select count(*) as {marker}%' and state = '{wanted}'"
        );
        bed.run(&[
            "query",
            &states,
            "--catalog",
            "system",
            "--schema",
            "runtime",
        ])
        .contains("1 row")
    };
    until("the statement runs", || asked("RUNNING"));
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    let told = bed.transcript(&["query", "…"], &output);
    assert!(told.contains("cancelled; Trino was told to stop"), "{told}");
    assert_eq!(output.status.code(), Some(2), "{told}");
    until("Trino has stopped it", || asked("FAILED"));
}

#[test]
fn an_interrupt_stops_moves_between_states_and_the_next_run_goes_on() {
    let bed = vault();
    // makes the ledger, so that it can be asked from the start
    bed.run(&["archive", "plan"]);
    // a rate that needs seconds for each day
    let slow = run(&["--rate", "4kB"]);
    let child = bed.command(&words(&slow)).spawn().unwrap();
    bed.wait_for(
        "select count(*) > 0 from lake.moves where state in ('copied', 'verified')",
        "t",
    );
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(2),
        "{}",
        bed.transcript(&["archive"], &output)
    );
    let recorded = "select state from ridehail.runs where run_id = 1";
    assert_eq!(bed.ask(recorded).as_deref(), Some("cancelled"));
    let resumed = bed.run(&words(&run(&[])));
    assert!(resumed.contains("MOVE 4 days, 800 rows"), "{resumed}");
}
