//! What keeps an archive: a day brought back, upkeep, and a dump of everything that says where rows are.

use insta::assert_snapshot;

use crate::archive::{NOW, fill, run, words};
use crate::bed::Bed;

/// Commits four days of the table; without Trino they stay in Postgres as well.
fn committed() -> Bed {
    let bed = Bed::of("vault");
    fill(&bed);
    bed.run(&words(&run(&["--until", "committed"])));
    bed
}

#[test]
fn a_day_comes_back_to_be_read() {
    let bed = committed();
    let restore = |day| bed.run(&["archive", "restore", "raw.readings", "--partition", day]);
    assert_snapshot!("archive_restore", restore("2026-01-02"));
    let differing = "select count(*) from (
        (select * from vault.readings_restored_20260102 except all select * from vault.readings_20260102)
        union all
        (select * from vault.readings_20260102 except all select * from vault.readings_restored_20260102)) d";
    assert_eq!(bed.ask(differing).as_deref(), Some("0"));
    let columns = "select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum)
                   from pg_attribute where attnum > 0 and attrelid = 'vault.readings_restored_20260102'::regclass";
    let of_table = columns.replace("readings_restored_20260102", "readings_20260102");
    assert_eq!(bed.ask(columns), bed.ask(&of_table));
    for change in [
        "insert into vault.readings_restored_20260102 select * from vault.readings limit 1",
        "update vault.readings_restored_20260102 set sensor = 0",
        "delete from vault.readings_restored_20260102",
        "truncate vault.readings_restored_20260102",
    ] {
        let refused = bed.try_ask(change).unwrap_err().to_string();
        assert!(refused.contains("it is a restored copy"), "{refused}");
    }
    assert_snapshot!("archive_restore_again", restore("2026-01-02"));
    assert_snapshot!("archive_restore_unknown", restore("2026-01-05"));
    // what the archive no longer holds as it was is not handed out
    bed.ask(
        "update lake.moves set digest = (select digest from lake.moves where lower = '2026-01-01')
             where lower = '2026-01-03'",
    );
    let wrong = restore("2026-01-03");
    assert!(
        wrong.contains("the restored day 2026-01-03 of vault.readings and the ledger differ"),
        "{wrong}"
    );
    let left = "select to_regclass('vault.readings_restored_20260103') is null";
    assert_eq!(bed.ask(left).as_deref(), Some("t"));
}

#[test]
fn a_dump_brings_warehouse_ledger_and_catalog_back() {
    let bed = committed();
    let folder = bed.path("backups");
    assert!(
        bed.run(&["archive", "backup", "ls"])
            .contains("no backup was made")
    );
    let made = bed.run(&["archive", "backup", "make", "--to", &folder]);
    assert!(made.contains("exit code Some(0)"), "{made}");
    let listed = bed.run(&["archive", "backup", "ls", "-o", "json"]);
    assert!(listed.contains(r#""kept":true,"tables":1"#), "{listed}");
    let file = bed.ask("select file from lake.backups").unwrap();
    // what is written after the dump is not in it
    bed.ask("delete from vault.readings where taken_at >= '2026-01-05 00:00:00+00'");
    let other = bed.another_database();
    let restore = |into: &str| {
        let arguments = ["archive", "backup", "restore", &file, "--into", into];
        let output = bed.command(&arguments).output().unwrap();
        bed.transcript(&["archive", "backup", "restore"], &output)
    };
    let restored = restore(&other.url());
    assert!(restored.contains("restored; 0 findings"), "{restored}");
    assert_eq!(
        other.ask("select count(*) from vault.readings").as_deref(),
        Some("1200")
    );
    let verified = other.run(&["archive", "verify", "--deep"]);
    assert!(
        verified.contains("4 days, 4 files, 800 rows read again; 0 days differ"),
        "{verified}"
    );
    // a copy moves nothing and deletes nothing, until it is said to own the files; then the other one does not
    let copy = other.run(&words(&run(&["--until", "committed"])));
    assert!(copy.contains("it is a copy of database"), "{copy}");
    let copy = other.run(&["archive", "maintain", "--dry-run"]);
    assert!(copy.contains("archive backup adopt"), "{copy}");
    let adopted = other.run(&["archive", "backup", "adopt"]);
    assert!(
        adopted.contains("the files belong to database"),
        "{adopted}"
    );
    let replaced = bed.run(&["archive", "plan"]);
    assert!(
        replaced.contains("its files belong to another database"),
        "{replaced}"
    );
    let own = other.ask("select kept from lake.backups");
    assert_eq!(own.as_deref(), Some("t"), "the dump protects itself");
    let resumed = other.run(&words(&run(&["--until", "committed"])));
    assert!(resumed.contains("exit code Some(0)"), "{resumed}");
    let again = restore(&other.url());
    assert!(
        again.contains("a backup is restored into an empty database"),
        "{again}"
    );
    let nowhere = bed.run(&[
        "archive",
        "backup",
        "restore",
        "no.dump",
        "--into",
        "postgres://nowhere/x",
    ]);
    assert_snapshot!("archive_backup_no_file", nowhere);
    let forgotten = bed.run(&["archive", "backup", "forget", "--before", "2999-01-01"]);
    assert!(forgotten.contains("1 forgotten"), "{forgotten}");
}

#[test]
fn a_model_that_is_not_built_yet_is_a_warning() {
    let bed = Bed::of("vault");
    fill(&bed);
    let done = bed.run(&["archive", "run", "--now", NOW, "--until", "committed"]);
    assert!(done.contains("WARN archived vault.peaks"), "{done}");
    assert!(done.contains("OK archived vault.readings"), "{done}");
    assert!(done.contains("there is no table vault.peaks"), "{done}");
    assert!(done.ends_with("exit code Some(0)\n"), "{done}");
}

#[test]
fn upkeep_waits_for_an_age_and_says_what_it_would_do() {
    let bed = committed();
    let dry = bed.run(&["archive", "maintain", "--dry-run"]);
    assert!(dry.contains("vault.readings: NOTHING to do"), "{dry}");
    assert_snapshot!(
        "archive_maintain_young",
        bed.run(&[
            "archive",
            "maintain",
            "-s",
            "source:raw.readings",
            "--older-than",
            "1h"
        ])
    );
    assert_snapshot!(
        "archive_maintain_bad_task",
        bed.run(&["archive", "maintain", "--tasks", "sweep"])
    );
    // a file whose day cannot be proven is the last copy of it, whatever the snapshots say
    bed.ask("update lake.files set bytes = bytes + 1 where path like '%2026-01-03%'");
    let told = bed.run(&["archive", "maintain", "--tasks", "check"]);
    assert!(told.contains("2026-01-03 differs: altered"), "{told}");
    assert!(told.contains("WARN maintained vault.readings"), "{told}");
    bed.write(
        "jobs.yml",
        "jobs:\n  - name: upkeep\n    command: maintain\n    upkeep: {older_than: 2d, tasks: [expire]}\n",
    );
    let jobs = bed.run(&["jobs", "ls", "-o", "json"]);
    let wanted = r#""upkeep":{"tasks":["expire"],"older_than":"48h"}"#;
    assert!(jobs.contains(wanted), "{jobs}");
    bed.write(
        "jobs.yml",
        "jobs:\n  - name: upkeep\n    command: maintain\n    upkeep: {tasks: [sweep]}\n",
    );
    assert_snapshot!("jobs_bad_task", bed.run(&["jobs", "ls"]));
}

#[test]
fn files_are_put_together_and_every_day_still_verifies() {
    let Some(bed) = Bed::with_trino("vault") else {
        return;
    };
    fill(&bed);
    let schema = bed.schema().to_owned();
    bed.run(&words(&run(&[])));
    // rows that come late, for two days, in two flushes
    for (flush, days) in [(1, [1, 2]), (2, [1, 3])] {
        for day in days {
            bed.ask(&format!(
                "insert into lake.late_{schema}_readings (sensor, taken_at, level, note, ridehail_flush, ridehail_suspect)
                 select 1000 * b.open_flush + n, timestamptz '2026-01-0{day} 23:00:00+00', n, 'late',
                        b.open_flush, false
                 from generate_series(1, 10) n, lake.boundaries b where b.table_schema = '{schema}'"
            ));
        }
        let flushed = bed.run(&words(&run(&[])));
        assert!(
            flushed.contains("MOVE 2 days, 20 rows"),
            "flush {flush}: {flushed}"
        );
    }
    let view = bed
        .ask(&format!(
            "select view_name from lake.tables where table_schema = '{schema}'"
        ))
        .unwrap();
    let figures = format!("select count(*), count(distinct sensor), sum(level) from \"{view}\"");
    let history = || bed.run(&["query", &figures, "-o", "csv"]);
    let before = history();
    assert!(before.contains("\n1240,"), "{before}");
    let objects = || {
        bed.run(&[
            "archive",
            "maintain",
            "--dry-run",
            "--now",
            "2100-01-01T00:00:00Z",
            "--keep",
            "1",
        ])
    };
    let dry = objects();
    assert!(dry.contains("COMPACT 3 days, EXPIRE 2 snapshots"), "{dry}");
    assert!(dry.contains("compact 2026-01-01: 3 files"), "{dry}");
    assert_eq!(objects(), dry, "a dry run changes nothing");
    let maintain = [
        "archive",
        "maintain",
        "--now",
        "2100-01-01T00:00:00Z",
        "--keep",
        "1",
    ];
    let done = bed.run(&maintain);
    assert!(done.contains("OK maintained"), "{done}");
    assert!(done.contains("COMPACT 3 days"), "{done}");
    // whatever moment ages are counted from: what is an hour old by the clock and no more stays
    assert!(
        !done.contains("EXPIRE ") && !done.contains("DELETE "),
        "{done}"
    );
    assert_eq!(history(), before);
    let verified = bed.run(&["archive", "verify", &format!("{schema}.readings"), "--deep"]);
    assert!(
        verified.contains("4 days, 4 files, 840 rows read again; 0 days differ"),
        "{verified}"
    );
    let again = bed.run(&maintain);
    assert!(again.contains("NOTHING to do"), "{again}");
    // late rows go on coming, and days come back
    let restored = bed.run(&[
        "archive",
        "restore",
        &format!("{schema}.readings"),
        "--partition",
        "2026-01-01",
    ]);
    assert!(restored.contains("220 rows, verified"), "{restored}");
}

#[test]
fn what_trino_cannot_read_in_postgres_does_not_begin_to_leave() {
    let Some(bed) = Bed::with_trino("vault") else {
        return;
    };
    fill(&bed);
    let schema = bed.schema().to_owned();
    bed.ask(&format!(
        "create domain {schema}.fare as numeric(12,2);
         alter table {schema}.readings add fare {schema}.fare default 7.25, add docs jsonb[] default
             array['{{\"a\": [1, 2]}}', null]::jsonb[]"
    ));
    let refused = bed.run(&words(&run(&[])));
    assert!(
        refused.contains("Trino does not see its columns \"fare\""),
        "{refused}"
    );
    assert!(
        bed.run(&["archive", "plan", "--now", NOW])
            .contains("alter the column's type")
    );
    let touched = format!(
        "select count(*) from lake.boundaries where table_schema = '{schema}' and boundary > '-infinity'"
    );
    assert_eq!(bed.ask(&touched).as_deref(), Some("0"));
    bed.ask(&format!(
        "alter table {schema}.readings alter fare type numeric(12,2)"
    ));
    let done = bed.run(&words(&run(&[])));
    assert!(done.contains("MOVE 4 days, 800 rows"), "{done}");
    let view = format!("select view_name from lake.tables where table_schema = '{schema}'");
    let view = bed.ask(&view).unwrap();
    let sql =
        format!("select min(docs[1]), count(docs[1]), count(docs[2]), sum(fare) from \"{view}\"");
    let history = bed.run(&["query", &sql, "-o", "csv"]);
    assert!(
        history.contains(r#""{""a"":[1,2]}",1200,0,8700.00"#),
        "{history}"
    );
}

#[test]
fn a_move_is_given_up_before_its_commit_and_not_after() {
    let bed = Bed::of("vault");
    fill(&bed);
    let abandon = |day, more: &[&str]| {
        let words = ["archive", "abandon", "raw.readings", "--day", day];
        bed.run(&[words.as_slice(), more].concat())
    };
    assert_snapshot!("archive_abandon_too_early", abandon("2026-01-02", &[]));
    bed.run(&words(&run(&["--until", "copied"])));
    let write = "update vault.readings set note = 'changed' where taken_at = '2026-01-03 00:01+00'";
    bed.try_ask(write)
        .expect_err("a day that is frozen takes no writes");
    assert_snapshot!(
        "archive_abandon",
        abandon("2026-01-03", &["--output", "json"])
    );
    bed.ask(write);
    // the earlier days go on; given back, the later ones are due as before
    let left =
        "select string_agg(lower::date || ' ' || state, ', ' order by lower) from lake.moves";
    assert_eq!(
        bed.ask(left).as_deref(),
        Some("2026-01-01 copied, 2026-01-02 copied")
    );
    let next = bed.run(&words(&run(&["--until", "committed"])));
    assert!(next.contains("exit code Some(0)"), "{next}");
    assert_snapshot!("archive_abandon_too_late", abandon("2026-01-02", &[]));
    assert_eq!(
        bed.ask("select count(*) from vault.readings").as_deref(),
        Some("1200")
    );
}
