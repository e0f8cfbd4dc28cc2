//! How much of what a project holds.

use project::Project;

use crate::run::prepare::kind_word;

/// What `Found …` counts, in dbt's order.
#[must_use]
pub fn counts(project: &Project) -> Vec<(&'static str, usize)> {
    use project::manifest::ResourceType as T;
    let nodes = project.manifest.nodes.values();
    let of = |kind: T| {
        let found = nodes.clone().filter(|node| node.resource_type == kind);
        // a test whose target is not there is counted, too
        let lost = match kind {
            T::Test => project.manifest.untargeted.len(),
            _ => 0,
        };
        found.count() + lost
    };
    // in the order in which dbt reads them: tests where the first that has a file of its own is met
    let mut tests = nodes.clone().filter(|node| node.resource_type == T::Test);
    let kinds = match tests.any(|test| test.test_metadata.is_none()) {
        true => [
            T::Model,
            T::Snapshot,
            T::Analysis,
            T::Test,
            T::Seed,
            T::Operation,
        ],
        false => [
            T::Model,
            T::Snapshot,
            T::Analysis,
            T::Seed,
            T::Operation,
            T::Test,
        ],
    };
    let mut counts = kinds.map(|kind| (kind_word(kind), of(kind))).to_vec();
    let manifest = &project.manifest;
    counts.extend([
        ("source", manifest.sources.len()),
        ("exposure", manifest.exposures.len()),
        ("metric", manifest.metrics.len()),
        ("macro", manifest.macros.len()),
        ("group", manifest.groups.len()),
        ("semantic model", manifest.semantic_models.len()),
        ("saved query", manifest.saved_queries.len()),
        ("unit test", manifest.unit_tests.len()),
    ]);
    counts
}
