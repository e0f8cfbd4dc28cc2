//! Selection over a small manifest, and its algebra over random ones.

use proptest::prelude::*;

use super::{Indirect, Spec, select_in};
use crate::graph::Graph;
use crate::manifest::{Manifest, Node, ResourceType};
use crate::parse::nodes::bare;

fn node(id: &str, folder: &str, tags: &[&str], parents: &[&str]) -> Node {
    let (kind, name) = id.split_once('.').unwrap();
    let kind = match kind {
        "test" => ResourceType::Test,
        "seed" => ResourceType::Seed,
        _ => ResourceType::Model,
    };
    let mut node = bare("p", kind, name);
    node.unique_id = id.to_owned();
    node.original_file_path = format!("models/{folder}/{name}.sql").into();
    node.fqn = ["p", folder, name].map(str::to_owned).to_vec();
    node.tags = tags.iter().map(|&tag| tag.to_owned()).collect();
    node.depends_on.nodes = parents.iter().map(|&parent| parent.to_owned()).collect();
    node
}

/// a, b -> c -> d, with a test on c and one on both c and b.
fn manifest() -> Manifest {
    let mut manifest = Manifest {
        project_name: "p".into(),
        ..Manifest::default()
    };
    for node in [
        node("model.a", "staging", &["nightly"], &[]),
        node("model.b", "staging", &[], &[]),
        node(
            "model.c",
            "marts",
            &["nightly", "core"],
            &["model.a", "model.b"],
        ),
        node("model.d", "marts", &[], &["model.c"]),
        node("test.on_c", "marts", &[], &["model.c"]),
        node("test.on_b_c", "marts", &[], &["model.c", "model.b"]),
    ] {
        manifest.nodes.insert(node.unique_id.clone(), node);
    }
    manifest
}

fn ids(select: &[&str], exclude: &[&str], indirect: Indirect) -> String {
    let manifest = manifest();
    let graph = Graph::of(&manifest).unwrap();
    let texts = |items: &[&str]| items.iter().map(|&item| item.to_owned()).collect();
    let spec = Spec {
        select: texts(select),
        exclude: texts(exclude),
        indirect,
        ..Spec::default()
    };
    let found = select_in(&manifest, &graph, &spec, None).unwrap().ids;
    found
        .iter()
        .map(|id| id.split_once('.').unwrap().1)
        .collect::<Vec<_>>()
        .join(" ")
}

#[track_caller]
fn check(select: &str, expected: &str) {
    assert_eq!(ids(&[select], &[], Indirect::Eager), expected, "{select}");
}

#[test]
fn methods_and_relatives() {
    check("a", "a");
    check("a+", "a c d on_c on_b_c");
    check("+c", "a b c on_c on_b_c");
    check("1+d", "c d on_c on_b_c");
    check("a+1", "a c on_c on_b_c");
    check("@a", "a b c d on_c on_b_c");
    check("tag:nightly", "a c on_c on_b_c");
    check("tag:nightly,staging", "a on_b_c");
    check("a b", "a b on_b_c");
    check("marts", "c d on_c on_b_c");
    check("p.staging.*", "a b on_b_c");
    check("path:models/staging", "a b on_b_c");
    check("models/marts/c.sql", "c on_c on_b_c");
    check("c.sql", "c on_c on_b_c");
    check("resource_type:test", "on_c on_b_c");
    check("test_type:singular", "on_c on_b_c");
    check("config.materialized:view", "a b c d on_c on_b_c");
    check("nothing_of_that_name", "");
    check("package:this", "a b c d on_c on_b_c");
}

#[test]
fn tests_follow_as_asked() {
    assert_eq!(ids(&["c"], &[], Indirect::Cautious), "c on_c");
    assert_eq!(ids(&["c b"], &[], Indirect::Cautious), "b c on_c on_b_c");
    assert_eq!(ids(&["c"], &[], Indirect::Buildable), "c on_c on_b_c");
    assert_eq!(ids(&["b"], &[], Indirect::Buildable), "b");
    assert_eq!(ids(&["c"], &[], Indirect::Empty), "c");
    assert_eq!(ids(&["c"], &["on_c"], Indirect::Eager), "c on_b_c");
    assert_eq!(ids(&[], &["marts"], Indirect::Eager), "a b");
    assert_eq!(ids(&[], &["c+"], Indirect::Empty), "a b");
}

/// A random layered graph: node `i` may depend on lower ones.
fn graphs() -> impl Strategy<Value = Manifest> {
    prop::collection::vec(
        prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        1..12,
    )
    .prop_map(|parents| {
        let mut manifest = Manifest {
            project_name: "p".into(),
            ..Manifest::default()
        };
        for (i, chosen) in parents.iter().enumerate() {
            let chosen = chosen
                .iter()
                .filter(|_| i > 0)
                .map(|c| format!("model.m{}", c.index(i)));
            let chosen: Vec<String> = chosen.collect();
            let chosen: Vec<&str> = chosen.iter().map(String::as_str).collect();
            let node = node(&format!("model.m{i}"), "f", &[], &chosen);
            manifest.nodes.insert(node.unique_id.clone(), node);
        }
        manifest
    })
}

proptest! {
    #[test]
    fn unions_intersections_and_exclusions_obey_set_algebra(manifest in graphs(), a in 0..12usize, b in 0..12usize) {
        let graph = Graph::of(&manifest).unwrap();
        let find = |select: &str, exclude: &str| {
            let list = |text: &str| if text.is_empty() { vec![] } else { vec![text.to_owned()] };
            select_in(&manifest, &graph, &Spec { select: list(select), exclude: list(exclude), ..Spec::default() }, None).unwrap().ids
        };
        let (x, y) = (format!("+m{a}"), format!("m{b}+"));
        let (sx, sy) = (find(&x, ""), find(&y, ""));
        let union = find(&format!("{x} {y}"), "");
        prop_assert!(union.iter().all(|id| sx.contains(id) || sy.contains(id)));
        prop_assert_eq!(union.len(), sx.union(&sy).count());
        prop_assert_eq!(find(&format!("{x},{y}"), "").len(), sx.intersection(&sy).count());
        prop_assert_eq!(find(&x, &y).len(), sx.difference(&sy).count());
        prop_assert_eq!(find(&format!("+m{a}+"), "").len(), find(&format!("+m{a} m{a}+"), "").len());
    }
}
