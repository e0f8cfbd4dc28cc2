//! Documentation, the comparison with an earlier run, the log file.

use std::fs;

use insta::assert_snapshot;

use crate::bed::Bed;
use crate::web::{Server, free_port};

#[test]
fn documentation_is_made_and_served() {
    let bed = Bed::new();
    assert!(
        bed.run(&["docs", "serve"]).contains("docs generate"),
        "nothing to serve yet"
    );
    bed.run(&["build", "--quiet"]);
    assert_snapshot!("docs_generate", bed.run(&["docs", "generate", "--static"]));
    let page = bed.read("target/static_index.html");
    assert!(
        page.contains("model.shop.stg_orders"),
        "the manifest is in the page"
    );
    assert!(
        !bed.read("target/index.html")
            .contains("model.shop.stg_orders")
    );

    let port = free_port().to_string();
    let listen = format!("127.0.0.1:{port}");
    let server = Server::of(
        &bed,
        &["docs", "serve", "--no-browser", "--port", &port],
        &listen,
        "/",
    );
    let (status, manifest) = server.get("/manifest.json");
    assert_eq!(status, 200);
    assert!(manifest.contains("model.shop.stg_orders"));
    assert_eq!(server.get("/static/docs.js").0, 200);
    assert_eq!(
        server.get("/profiles.yml").0,
        404,
        "nothing else of the folder is served"
    );
    assert_eq!(server.get("/..%2fprofiles.yml").0, 404);
}

#[test]
fn what_changed_is_selected_and_told() {
    let bed = Bed::new();
    bed.run(&["build", "--quiet"]);
    fs::rename(bed.path("target"), bed.path("before")).unwrap();
    let changed = ["ls", "-s", "state:modified", "--state", "before", "--why"];
    assert!(
        !bed.run(&changed).contains("stg_orders"),
        "nothing has changed"
    );
    let text = bed.read("models/stg_orders.sql");
    bed.write(
        "models/stg_orders.sql",
        &format!("{{{{ config(tags=['x'], meta={{'a': 1}}) }}}}\n{text}"),
    );
    bed.write("models/fresh.sql", "select 1 as x");
    assert_snapshot!("state_modified", bed.run(&changed));
    assert_snapshot!(
        "state_configs",
        bed.run(&["ls", "-s", "state:modified.configs", "--state", "before"])
    );
    assert_snapshot!(
        "state_new",
        bed.run(&["ls", "-s", "state:new", "--state", "before"])
    );
    assert_snapshot!(
        "result_success",
        bed.run(&["ls", "-s", "result:success", "--state", "before"])
    );
    assert_snapshot!("state_missing", bed.run(&["ls", "-s", "state:new"]));
}

#[test]
fn every_line_goes_to_the_log_file_too() {
    let bed = Bed::new();
    bed.run(&["seed", "--quiet"]);
    let log = bed.read("logs/dbt.log");
    assert!(log.contains("[info ] [MainThread]: Done. PASS="), "{log}");
    bed.run(&["seed", "--quiet", "--log-path", "elsewhere"]);
    assert!(bed.read("elsewhere/dbt.log").contains("Done. PASS="));
    let silent = bed.run(&["seed", "--log-level", "none"]);
    assert!(!silent.contains("PASS"), "{silent}");
}
