//! Methods that compare with an earlier run: `state:`, `result:`, `source_status:`.

use std::collections::HashSet;

use crate::error::Error;
use crate::load::Project;
use crate::manifest::{Manifest, UniqueId};
use crate::select::criteria::{Criteria, Method};
use crate::select::item::items;
use crate::state::{Aspect, Previous};

/// Whether a member is meant.
type Test<'a> = Box<dyn Fn(&UniqueId) -> bool + 'a>;

/// The members of `manifest` that `criteria` names.
pub(super) fn search(
    manifest: &Manifest,
    project: Option<&Project>,
    criteria: &Criteria,
) -> Result<HashSet<UniqueId>, Error> {
    let wrong = |message: String, hint: &str| Error::Selection {
        selector: criteria.raw.clone(),
        message,
        hint: Some(hint.to_owned()),
    };
    let known = project.and_then(|project| Some((project, project.previous.as_deref()?)));
    let Some((project, previous)) = known else {
        return Err(wrong(
            "there is no earlier run to compare with".to_owned(),
            "name the folder of its artifacts with --state",
        ));
    };
    let value = criteria.value.as_str();
    let wanted: Test<'_> = match criteria.method {
        Method::Result => Box::new(move |id| previous.ended(id, value)),
        Method::SourceStatus if value == "fresher" => Box::new(|id| previous.is_fresher(id)),
        Method::SourceStatus => {
            let message = format!("there is no source status '{value}'");
            return Err(wrong(message, "source_status:fresher"));
        }
        _ => state(project, previous, value).ok_or_else(|| {
            wrong(
                format!("there is no state '{value}'"),
                "one of new, old, modified, unmodified, and modified.body, .configs, .relation, \
                 .persisted_descriptions, .macros, .contract",
            )
        })?,
    };
    Ok(items(manifest)
        .map(|item| item.id().clone())
        .filter(|id| wanted(id))
        .collect())
}

fn state<'a>(project: &'a Project, previous: &'a Previous, value: &str) -> Option<Test<'a>> {
    let manifest = &project.manifest;
    // dbt takes these for unmodified when they are new
    let is_semantic = move |id: &UniqueId| {
        manifest.metrics.contains_key(id)
            || manifest.semantic_models.contains_key(id)
            || manifest.saved_queries.contains_key(id)
    };
    let changed = move |id: &UniqueId| {
        let counts = previous.had(id) || !is_semantic(id);
        counts && !previous.why(project, id).is_empty()
    };
    Some(match value {
        "new" => Box::new(move |id| !previous.had(id)),
        "old" => Box::new(move |id| previous.had(id)),
        "modified" => Box::new(changed),
        "unmodified" => Box::new(move |id| !changed(id)),
        _ => {
            let aspect = [
                Aspect::Body,
                Aspect::Configs,
                Aspect::Relation,
                Aspect::PersistedDescriptions,
                Aspect::Macros,
                Aspect::Contract,
            ]
            .into_iter()
            .find(|aspect| value.strip_prefix("modified.") == Some(aspect.word()))?;
            if aspect == Aspect::Macros {
                return Some(Box::new(|id| previous.calls_changed_macro(project, id)));
            }
            // what is new differs in every way
            Box::new(move |id| {
                let changes = previous.why(project, id);
                changes
                    .iter()
                    .any(|change| [aspect, Aspect::New].contains(&change.aspect))
            })
        }
    })
}
