//! Which nodes a test holds back.

use super::*;

/// Test edges of `nodes`, written `child: parent parent`; names that start with `t_` are tests, with `e_`
/// exposures.
fn check(nodes: &[&str], expected: &[&str]) {
    let mut manifest = Manifest::default();
    let mut edges = Edges::new();
    for line in nodes {
        let (id, needs) = line.split_once(':').unwrap();
        let mut node = crate::manifest::Node::default();
        if id.starts_with("t_") {
            node.resource_type = ResourceType::Test;
        }
        // exposures are no nodes
        if !id.starts_with("e_") {
            manifest.nodes.insert(id.to_owned(), node);
        }
        let needs = needs.split_whitespace().map(str::to_owned).collect();
        edges.insert(id.to_owned(), needs);
    }
    let before = edges.clone();
    add_test_edges(&manifest, &mut edges);
    let mut added: Vec<String> = Vec::new();
    for (id, needs) in &edges {
        let new = needs.iter().filter(|need| !before[id].contains(*need));
        added.extend(new.map(|test| format!("{id} waits for {test}")));
    }
    added.sort();
    assert_eq!(added, expected);
}

#[test]
fn a_test_holds_back_direct_children_only() {
    check(&["a:", "b: a", "c: b", "t_a: a"], &["b waits for t_a"]);
}

#[test]
fn a_test_of_two_holds_back_what_needs_both() {
    check(
        &[
            "a:",
            "b:",
            "only_a: a",
            "p: a",
            "q: b",
            "both: p q",
            "last: both",
            "t_ab: a b",
        ],
        &["both waits for t_ab"],
    );
}

#[test]
fn two_tests_never_wait_for_each_other() {
    check(&["a:", "b:", "x: b", "y: a", "t_ax: a x", "t_by: b y"], &[]);
}

#[test]
fn a_test_holds_back_no_exposure() {
    check(
        &["a:", "b: a", "e_b: b", "e_a: a", "t_a: a"],
        &["b waits for t_a"],
    );
}
