//! Ephemeral models in a run: they are compiled in its order and nobody is told, but of what they hold back.

use std::sync::Arc;

use super::Execution;
use crate::run::events::{BrokenInput, Event, Report};
use crate::run::plan::{NodeIx, SkipCause};
use crate::run::request::Command;
use crate::run::state::NodeState;

impl Execution<'_> {
    /// Whether anybody hears of it.
    pub(super) fn shows(&self, node: NodeIx) -> bool {
        (node as usize) < self.positions.len()
    }

    /// An ephemeral model is compiled: what the manifest needs comes back.
    pub(super) fn compiled(&mut self, node: NodeIx, report: Report) -> Option<Report> {
        match report.error {
            Some(error) => {
                self.broken.insert(node, error);
                None
            }
            None => self.worker.keeps_sql().then_some(report),
        }
    }

    /// Tells of a node that was skipped. What the results are to say of it comes back.
    pub(super) fn skip(&mut self, node: NodeIx, cause: SkipCause) -> Option<String> {
        if !self.shows(node) {
            return None;
        }
        let prepared = &self.worker.prepared;
        let culprit = match cause {
            SkipCause::Upstream(culprit) | SkipCause::FailFast(culprit) => {
                prepared.node(culprit).unique_id.clone()
            }
            SkipCause::Cancelled => "cancelled".to_owned(),
        };
        let broken = self.to_blame(node, cause).map(|model| {
            let node = self.worker.manifest_node(prepared.node(node));
            Arc::new(BrokenInput {
                model: prepared.node(model).clone(),
                schema: node.map(|node| node.schema.clone()).unwrap_or_default(),
                error: self.broken.get(&model).cloned(),
            })
        });
        let fail_fast = matches!(cause, SkipCause::FailFast(_));
        let remark = match &broken {
            Some(broken) => Some(broken.message(&prepared.node(node).unique_id)),
            None => fail_fast.then(|| "Skipping due to fail_fast".to_owned()),
        };
        let index = self.position(node);
        self.tell(Event::NodeSkipped {
            node,
            index,
            culprit,
            broken,
            fail_fast,
        });
        remark
    }

    /// As in dbt: a `build` blames whoever stands last before the node, and a skip is blamed as a failure is; a `run`
    /// blames what failed, wherever.
    fn to_blame(&self, node: NodeIx, cause: SkipCause) -> Option<NodeIx> {
        let SkipCause::Upstream(culprit) = cause else {
            return None;
        };
        if self.command != Command::Build {
            return Some(culprit).filter(|culprit| !self.shows(*culprit));
        }
        let inputs = self.worker.prepared.prerequisites.get(node as usize)?;
        let is_bad = |input: &&NodeIx| {
            matches!(
                self.plan.state(**input),
                NodeState::Failed | NodeState::Skipped
            )
        };
        let bad: Vec<NodeIx> = inputs.iter().filter(is_bad).copied().collect();
        let seen = bad.iter().any(|input| self.shows(*input));
        bad.last().copied().filter(|_| !seen)
    }
}
