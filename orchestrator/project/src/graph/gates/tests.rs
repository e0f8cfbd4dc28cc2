//! Which nodes a test holds back.

use super::*;

/// Test edges of `nodes`, written `child: parent parent`; names that start with `t_` are tests, with `e_`
/// exposures, with `s_` sources, with `u_` models that were not selected, with `x_` unit tests.
fn check(nodes: &[&str], expected: &[&str]) {
    let mut manifest = Manifest::default();
    let mut lines: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in nodes {
        let (id, needs) = line.split_once(':').unwrap();
        let mut node = crate::manifest::Node::default();
        if id.starts_with("t_") {
            node.resource_type = ResourceType::Test;
        }
        // exposures and sources are no nodes
        if id.starts_with("x_") {
            let mut test = crate::manifest::UnitTest::default();
            test.depends_on.nodes = vec![needs.trim().to_owned()];
            manifest.unit_tests.insert(id.to_owned(), test);
        } else if !id.starts_with("e_") && !id.starts_with("s_") {
            manifest.nodes.insert(id.to_owned(), node);
        }
        lines.push((id, needs.split_whitespace().collect()));
    }
    let parents = lines.iter().map(|(id, needs)| (*id, needs.iter().copied()));
    let graph = Graph::from_parents(parents).unwrap();
    let selected = lines.iter().map(|(id, _)| (*id).to_owned());
    let selected: IndexSet<UniqueId> = selected
        .filter(|id| !id.starts_with("s_") && !id.starts_with("u_"))
        .collect();
    let mut before = edges_among(&manifest, &graph, &selected, Gates::None);
    put_unit_tests_first(&manifest, &mut before);
    let after = edges_among(&manifest, &graph, &selected, Gates::Tests);
    let mut added: Vec<String> = Vec::new();
    for (id, needs) in &after {
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

#[test]
fn a_test_of_a_source_holds_back_what_reads_it() {
    check(
        &["s_raw:", "a: s_raw", "b: a", "t_raw: s_raw"],
        &["a waits for t_raw"],
    );
    // of both, and nothing is below both but what needs both
    check(
        &["s_raw:", "a:", "b: a", "c: a s_raw", "t_both: a s_raw"],
        &["c waits for t_both"],
    );
}

#[test]
fn what_was_not_selected_counts_all_the_same() {
    check(
        &["a:", "u_b:", "x: a", "y: x u_b", "t_ab: a u_b"],
        &["y waits for t_ab"],
    );
    check(
        &["u_a:", "u_b: u_a", "c: u_b", "d: c", "t_a: u_a"],
        &["c waits for t_a"],
    );
}

#[test]
fn a_unit_test_waits_for_what_its_model_waits_for() {
    check(
        &["a:", "b: a", "x_b: b", "t_a: a", "t_b: b"],
        &["b waits for t_a", "x_b waits for t_a"],
    );
}

#[test]
fn unit_tests_of_one_model_go_in_a_row() {
    let mut manifest = Manifest::default();
    for id in ["a", "b"] {
        manifest
            .nodes
            .insert(id.to_owned(), crate::manifest::Node::default());
    }
    for id in ["x_1", "x_2", "x_3"] {
        let mut test = crate::manifest::UnitTest::default();
        test.depends_on.nodes = vec!["b".to_owned()];
        manifest.unit_tests.insert(id.to_owned(), test);
    }
    let parents = [
        ("a", ""),
        ("b", "a"),
        ("x_1", "b"),
        ("x_2", "b"),
        ("x_3", "b"),
    ];
    let lines = parents
        .iter()
        .map(|(id, need)| (*id, need.split_whitespace()));
    let graph = Graph::from_parents(lines).unwrap();
    let waits = |selected: &[&str], gates| {
        let selected = selected.iter().map(|id| (*id).to_owned()).collect();
        let edges = edges_among(&manifest, &graph, &selected, gates);
        let line = |(id, needs): (String, IndexSet<UniqueId>)| {
            let needs: Vec<String> = needs.into_iter().collect();
            format!("{id}: {}", needs.join(" "))
        };
        edges.into_iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(
        waits(&["a", "b", "x_1", "x_2", "x_3"], Gates::Tests),
        ["a: ", "b: a x_3", "x_1: a", "x_2: a x_1", "x_3: a x_2"]
    );
    assert_eq!(
        waits(&["b", "x_1", "x_3"], Gates::TestsAgain),
        ["b: ", "x_1: b", "x_3: b"]
    );
}
