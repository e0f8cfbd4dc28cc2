//! The served pages, and what guards them.

use std::net::TcpListener;
use std::process::Child;
use std::time::Duration;

use crate::bed::{Bed, signal, until};

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

pub(crate) struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(bed: &Bed) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        Self::of(bed, &["serve", "--listen", &listen], &listen, "/healthz")
    }

    /// The binary with these arguments, once it answers at `path`.
    pub(crate) fn of(bed: &Bed, arguments: &[&str], listen: &str, path: &str) -> Self {
        let child = bed.command(arguments).spawn().unwrap();
        let server = Self {
            child,
            url: format!("http://{listen}"),
        };
        until("the page answers", || server.get(path).0 == 200);
        server
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.send(reqwest::Method::GET, path, &[])
    }

    /// Status and body; 0 when nobody answers.
    fn send(&self, method: reqwest::Method, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let client = reqwest::Client::builder()
                .timeout(Duration::from_secs(10))
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap();
            let mut request = client.request(method, format!("{}{path}", self.url));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            match request.send().await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    (status, response.text().await.unwrap_or_default())
                }
                Err(_) => (0, String::new()),
            }
        })
    }

    fn stop(mut self) {
        signal(&self.child, "TERM");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // a failed test must not leave it running
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const JOBS: &str = "
jobs:
  - name: by_hand
    description: Everything there is.
    schedule: {cron: '0 3 1 1 *', time_zone: UTC}
    command: build
";

#[test]
fn pages_tell_what_ran() {
    let bed = Bed::new();
    bed.write("jobs.yml", JOBS);
    bed.run(&["build"]);
    bed.write(
        "models/typo.sql",
        "select <no_such_column> from {{ ref('stg_orders') }}",
    );
    bed.run(&["run", "-s", "typo"]);
    let server = Server::start(&bed);
    for (path, wanted) in [
        ("/", "by hand"),
        ("/runs", "#2"),
        ("/runs/1", "run #1"),
        ("/api/runs/1/nodes", "customers"),
        ("/lineage", "stg_orders"),
        ("/jobs", "Everything there is."),
        ("/lake", "there is no archive in this database"),
        ("/health", "scheduler"),
        ("/healthz", ""),
        ("/metrics", "# TYPE"),
        ("/api/runs", "\"failed\""),
        ("/api/runs/1", "\"success\""),
        ("/api/jobs", "by_hand"),
        ("/api/lineage", "daily"),
    ] {
        let (status, body) = server.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        let body = body.to_lowercase();
        assert!(
            body.contains(&wanted.to_lowercase()),
            "{path} lacks {wanted:?}: {body}"
        );
    }
    // what a database said is shown as text, never as markup
    let (_, page) = server.get("/runs/2");
    assert!(!page.contains("<no_such_column>"), "{page}");
    assert_eq!(server.get("/runs/99").0, 404);
    assert_eq!(server.get("/nowhere").0, 404);
    server.stop();
}

#[test]
fn the_lake_page_shows_what_has_left_and_what_waits() {
    let bed = Bed::of("vault");
    crate::archive::fill(&bed);
    bed.run(&crate::archive::words(&crate::archive::run(&[])));
    bed.ask("update lake.moves set last_error = 'no <b>luck</b>' where lower < '2026-01-02'");
    bed.ask("update lake.control set paused = true, reason = 'a backup'");
    let server = Server::start(&bed);
    let (status, page) = server.get("/lake");
    assert_eq!(status, 200, "{page}");
    for wanted in [
        "vault.readings",
        "a backup",
        "committed",
        "2026-01-04",
        ">800<",
        "replace the view",
    ] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    assert!(!page.contains("<b>luck"), "{page}");
    let (_, metrics) = server.get("/metrics");
    for wanted in [
        "ridehail_lake_archived_rows{table=\"vault.readings\"} 800",
        "ridehail_lake_open_moves{table=\"vault.readings\",state=\"committed\"} 4",
        "ridehail_lake_paused 1",
    ] {
        assert!(metrics.contains(wanted), "{wanted}: {metrics}");
    }
    server.stop();
}

#[test]
fn a_job_is_triggered_by_the_page_and_by_no_other() {
    let bed = Bed::new();
    bed.write("jobs.yml", JOBS);
    let server = Server::start(&bed);
    let post = |origin: &str| {
        server
            .send(
                reqwest::Method::POST,
                "/jobs/by_hand/trigger",
                &[("Origin", origin)],
            )
            .0
    };
    assert_eq!(post("http://elsewhere.example"), 403);
    assert_eq!(
        bed.ask("select count(*) from ridehail.runs").as_deref(),
        Some("0")
    );
    let status = post(&server.url.clone());
    assert!((200..400).contains(&status), "{status}");
    bed.wait_for(
        "select state from ridehail.runs where job = 'by_hand'",
        "success",
    );
    assert_eq!(
        bed.ask("select count(*) > 0 from shop.customers")
            .as_deref(),
        Some("t")
    );
    server.stop();
}

#[test]
fn changes_are_told_while_they_happen() {
    let bed = Bed::new();
    bed.write("jobs.yml", JOBS);
    let server = Server::start(&bed);
    let url = format!("{}/api/live", server.url);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let told = runtime.block_on(async {
        let mut stream = reqwest::Client::new().get(url).send().await.unwrap();
        let origin = [("Origin", server.url.as_str())];
        let trigger = reqwest::Client::new()
            .post(format!("{}/jobs/by_hand/trigger", server.url))
            .header(origin[0].0, origin[0].1)
            .send();
        trigger.await.unwrap();
        let mut told = String::new();
        let listening = async {
            while !told.contains("success") {
                let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
                told.push_str(&String::from_utf8_lossy(&chunk));
            }
        };
        let heard = tokio::time::timeout(Duration::from_secs(60), listening).await;
        assert!(heard.is_ok(), "{told}");
        told
    });
    assert!(told.contains("data:"), "{told}");
    server.stop();
}

#[test]
fn it_listens_on_loopback_only() {
    let bed = Bed::new();
    let output = bed
        .command(&["serve", "--listen", "0.0.0.0:0"])
        .output()
        .unwrap();
    insta::assert_snapshot!("serve_beyond_loopback", bed.transcript(&["serve"], &output));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("127.0.0.1:{}", taken.local_addr().unwrap().port());
    let output = bed
        .command(&["serve", "--listen", &listen])
        .output()
        .unwrap();
    let transcript = bed
        .transcript(&["serve"], &output)
        .replace(&listen, "[taken]");
    insta::assert_snapshot!("serve_on_a_taken_port", transcript);
}
