//! A selection as the command line gives it, and what that means.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::criteria::Criteria;
use super::definition::{self, Definition};
use crate::error::Error;
use crate::manifest::ResourceType;

/// Which tests come with selected nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Indirect {
    /// Tests of which any parent is selected.
    #[default]
    Eager,
    /// Tests of which every parent is selected.
    Cautious,
    /// Tests of which every parent is selected or an ancestor of a selected node.
    Buildable,
    /// Only tests selected themselves.
    Empty,
}

/// A selection as the command line gives it.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    /// `--select` arguments; each may hold several, separated by blanks. Empty = everything.
    pub select: Vec<String>,
    /// `--exclude` arguments.
    pub exclude: Vec<String>,
    /// Kinds that the verb handles; empty = what `dbt ls` lists: everything, exposures included,
    /// but analyses and hooks.
    pub resource_types: Vec<ResourceType>,
    /// Kinds taken away from those.
    pub exclude_resource_types: Vec<ResourceType>,
    /// `--selector`: a name in selectors.yml, in the place of `select` and `exclude`.
    pub selector: Option<String>,
    /// How tests follow their nodes.
    pub indirect: Indirect,
}

impl Spec {
    /// What it means: the selector it names, the project's default one, or its own words.
    pub(super) fn definition(
        &self,
        selectors: &IndexMap<String, Json>,
    ) -> Result<Definition, Error> {
        let unsaid = self.select.is_empty() && self.exclude.is_empty();
        let default = definition::default_of(selectors).filter(|_| unsaid);
        if let Some(name) = self.selector.as_deref().or(default) {
            return definition::named(selectors, name);
        }
        let everything = [
            "fqn:*",
            "source:*",
            "exposure:*",
            "metric:*",
            "semantic_model:*",
        ];
        let included = if self.select.is_empty() {
            self.union(&everything.map(str::to_owned), false)?
        } else {
            self.union(&self.select, true)?
        };
        let excluded = self.union(&self.exclude, true)?;
        Ok(Definition::Difference(
            Box::new((included, excluded)),
            Indirect::Eager,
        ))
    }

    /// Arguments, each split at blanks, added up; `a,b` is what both select. A person `expects` each to be something.
    fn union(&self, arguments: &[String], expects: bool) -> Result<Definition, Error> {
        let parts = arguments
            .iter()
            .flat_map(|argument| argument.split_whitespace());
        let each = parts.map(|part| {
            let criteria = part
                .split(',')
                .map(|part| Ok(Definition::One(Box::new(Criteria::parse(part)?), None)))
                .collect::<Result<_, Error>>()?;
            let one = Definition::Intersection(criteria, self.indirect);
            Ok(if expects {
                Definition::Expected(Box::new(one), part.to_owned())
            } else {
                one
            })
        });
        Ok(Definition::Union(
            each.collect::<Result<_, Error>>()?,
            self.indirect,
        ))
    }
}
