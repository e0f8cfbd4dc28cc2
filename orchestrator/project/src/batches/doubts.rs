//! Warnings of microbatch models. Pure.

use serde_json::Value as Json;

use super::is_microbatch;
use crate::manifest::{Manifest, Node, UniqueId};
use crate::warnings::{CONCURRENT_BATCHES, NO_EVENT_TIME_INPUTS, Warning, counted};

/// What is to be known of a project's models: batches that are asked to run side by side do not on Postgres, and a model
/// whose inputs have no event_time reads all of them in each window.
pub(crate) fn doubts(manifest: &Manifest) -> Vec<Warning> {
    let concurrent =
        |node: &&Node| node.config.raw.get("concurrent_batches") == Some(&Json::Bool(true));
    let count = manifest.nodes.values().filter(concurrent).count();
    let models = counted(count, "microbatch model");
    let concurrent = (count > 0).then(|| Warning {
        event: CONCURRENT_BATCHES,
        text: format!(
            "Found {models} with the `concurrent_batches` config set to true, but the postgres adapter does not \
             support running batches concurrently. Batches will be run sequentially."
        ),
    });
    let has_event_time = |id: &UniqueId| match (manifest.nodes.get(id), manifest.sources.get(id)) {
        (Some(node), _) => (node.config.raw.get("event_time")).is_some_and(Json::is_string),
        (None, Some(source)) => source.event_time.is_some(),
        (None, None) => false,
    };
    let models = manifest.nodes.values().filter(|node| is_microbatch(node));
    let unfiltered = models.filter(|node| !node.depends_on.nodes.iter().any(has_event_time));
    let unfiltered = unfiltered.map(|node| Warning {
        event: NO_EVENT_TIME_INPUTS,
        text: format!(
            "The microbatch model '{}' has no 'ref' or 'source' input with an 'event_time' configuration. \nThis means no \
             filtering can be applied and can result in unexpected duplicate records in the resulting microbatch model.",
            node.name
        ),
    });
    concurrent.into_iter().chain(unfiltered).collect()
}
