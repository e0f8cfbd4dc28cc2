//! The verbs that execute nodes.

use project::manifest::ResourceType;
use serde::{Deserialize, Serialize};

/// The verbs that execute nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Seeds, models and their tests, in dependency order.
    Build,
    /// Models.
    Run,
    /// Tests.
    Test,
    /// Seeds.
    Seed,
    /// Snapshots.
    Snapshot,
    /// Views over what another environment has built.
    Clone,
    /// Old days of tables with an archive policy leave for the lake.
    Archive,
    /// Upkeep of what is there: compaction, expiry, orphans, a check.
    Maintain,
}

/// What happens to an archived table in a run, where other nodes have a materialization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LakeWork {
    /// Its days move.
    Archive,
    /// It is kept in order.
    Maintain,
}

impl LakeWork {
    /// As stored with a node.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Maintain => "maintenance",
        }
    }

    /// `archived`, `archiving`: what became of a table, and what was tried.
    #[must_use]
    pub fn verbs(self) -> (&'static str, &'static str) {
        match self {
            Self::Archive => ("archived", "archiving"),
            Self::Maintain => ("maintained", "maintaining"),
        }
    }

    /// Of a node's stored word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Archive, Self::Maintain]
            .into_iter()
            .find(|work| work.word() == word)
    }
}

impl Command {
    /// As typed and stored.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Run => "run",
            Self::Test => "test",
            Self::Seed => "seed",
            Self::Snapshot => "snapshot",
            Self::Clone => "clone",
            Self::Archive => "archive",
            Self::Maintain => "maintain",
        }
    }

    /// The verb that `word` names, when it is one that builds.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [
            Self::Build,
            Self::Run,
            Self::Test,
            Self::Seed,
            Self::Snapshot,
            Self::Clone,
        ]
        .into_iter()
        .find(|command| command.word() == word)
    }

    /// What it does to archived tables, when those are its nodes.
    #[must_use]
    pub fn of_lake(self) -> Option<LakeWork> {
        match self {
            Self::Archive => Some(LakeWork::Archive),
            Self::Maintain => Some(LakeWork::Maintain),
            Self::Build | Self::Run | Self::Test | Self::Seed | Self::Snapshot | Self::Clone => {
                None
            }
        }
    }

    /// The kinds of nodes it executes.
    #[must_use]
    pub fn resource_types(self) -> &'static [ResourceType] {
        match self {
            Self::Build => &[
                ResourceType::Model,
                ResourceType::Seed,
                ResourceType::Snapshot,
                ResourceType::Test,
                ResourceType::UnitTest,
                ResourceType::Exposure,
                ResourceType::SavedQuery,
            ],
            Self::Run => &[ResourceType::Model],
            Self::Test => &[ResourceType::Test, ResourceType::UnitTest],
            Self::Seed => &[ResourceType::Seed],
            Self::Snapshot => &[ResourceType::Snapshot],
            Self::Clone => &[
                ResourceType::Model,
                ResourceType::Seed,
                ResourceType::Snapshot,
            ],
            Self::Archive | Self::Maintain => &[ResourceType::Source, ResourceType::Model],
        }
    }
}
