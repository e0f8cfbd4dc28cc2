//! What of a property file is not rendered when it is read.

/// Text that is rendered later, or never.
pub(super) fn late(path: &[&str]) -> bool {
    // all of a unit test, whatever its columns are called
    if let ["unit_tests", below @ ..] = path {
        return below == ["description"];
    }
    path.iter().any(|key| {
        matches!(
            *key,
            "tests" | "data_tests" | "loaded_at_query" | "constraints"
        )
    }) || path.last() == Some(&"description")
        && !path.iter().any(|key| matches!(*key, "config" | "meta"))
        || matches!(
            path,
            [_, .., "pre_hook" | "post_hook" | "pre-hook" | "post-hook"]
            // conditions that the semantic layer renders, with names of its own
            | ["metrics", .., "filter"]
            | ["metrics", .., "filter", _]
            | ["saved_queries", "query_params", "where", ..]
        )
}
