//! Runs that do not come to their own end: cancelled, killed, taken up.

use std::process::Child;

use insta::assert_snapshot;

use crate::bed::{Bed, signal};

const SLEEPING: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and state = 'active' and query like '%pg_sleep(300)%'";

/// A build that is in the middle of `slow`; `after` waits for it.
fn underway(bed: &Bed) -> Child {
    bed.write(
        "models/slow.sql",
        "{{ config(materialized='table') }}\nselect 1 as x from pg_sleep(300)",
    );
    bed.write("models/after.sql", "select * from {{ ref('slow') }}");
    let child = bed
        .command(&["run", "--threads", "1", "-s", "slow+"])
        .spawn()
        .unwrap();
    bed.wait_for(SLEEPING, "1");
    child
}

#[test]
fn an_interrupt_cancels_the_statement_on_the_server() {
    for name in ["INT", "TERM"] {
        let bed = Bed::new();
        let child = underway(&bed);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        // not a minute later: when the process has ended, so has its statement
        assert_eq!(bed.ask(SLEEPING).as_deref(), Some("0"));
        let transcript = bed.transcript(&["run", "-s", "slow+"], &output);
        assert_snapshot!(format!("cancelled_{name}"), transcript);
        let states =
            "select string_agg(name || ' ' || state, ', ' order by node) from ridehail.node_runs";
        assert_eq!(
            bed.ask(states).as_deref(),
            Some("after skipped, slow cancelled")
        );
        assert_eq!(
            bed.ask("select state from ridehail.runs").as_deref(),
            Some("cancelled")
        );
    }
}

#[test]
fn a_run_can_be_cancelled_from_elsewhere() {
    let bed = Bed::new();
    let child = underway(&bed);
    assert_snapshot!("runs_cancel", bed.run(&["runs", "cancel", "1"]));
    let output = child.wait_with_output().unwrap();
    assert_ne!(output.status.code(), Some(0));
    assert_eq!(bed.ask(SLEEPING).as_deref(), Some("0"));
    assert_eq!(
        bed.ask("select state from ridehail.runs").as_deref(),
        Some("cancelled")
    );
}

#[test]
fn a_killed_run_is_noticed_and_ended_by_a_scheduler() {
    let bed = Bed::new();
    let mut child = underway(&bed);
    signal(&child, "KILL");
    child.wait().unwrap();
    // Postgres ends the statement of a client that is gone; nothing half-made is in use
    bed.wait_for(SLEEPING, "0");
    assert_eq!(
        bed.ask("select to_regclass('shop.slow') is null")
            .as_deref(),
        Some("t")
    );
    assert_eq!(
        bed.ask("select state from ridehail.runs").as_deref(),
        Some("running")
    );
    // instead of waiting for the lease to end: as if that time had passed
    bed.ask("update ridehail.leases set renewed_at = renewed_at - interval '1 hour', expires_at = expires_at - interval '1 hour'");
    let port = crate::web::free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut server = bed
        .command(&["serve", "--listen", &listen])
        .spawn()
        .unwrap();
    bed.wait_for("select state from ridehail.runs where run_id = 1", "failed");
    signal(&server, "TERM");
    assert_eq!(server.wait().unwrap().code(), Some(0));
    assert_snapshot!("killed", bed.run(&["runs", "show", "1"]));
    // and the next run starts afresh
    bed.write(
        "models/slow.sql",
        "{{ config(materialized='table') }}\nselect 1 as x",
    );
    let again = bed.command(&["run", "-s", "slow+"]).output().unwrap();
    assert_eq!(again.status.code(), Some(0));
}
