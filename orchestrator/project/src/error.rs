//! Everything that can be wrong with a project, with the place to look at.

use std::fmt;
use std::path::PathBuf;

use crate::adapter::AdapterError;

/// A place in a project file. Lines and columns count from 1; 0 means unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// Path below the project's root where possible.
    pub path: PathBuf,
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Location {
    /// A whole file.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            line: 0,
            column: 0,
        }
    }

    /// A line of a file.
    #[must_use]
    pub fn line(path: impl Into<PathBuf>, line: usize) -> Self {
        Self {
            path: path.into(),
            line,
            column: 0,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        Ok(())
    }
}

/// Why a project could not be loaded, selected from or compiled.
///
/// `Display` says what failed and where (one line, then details); [`Error::hint`] what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A YAML file does not parse, or a value in it has the wrong shape.
    #[error("{message}\n  in {location}")]
    Yaml {
        /// File, line, column.
        location: Location,
        /// What was found and expected.
        message: String,
    },
    /// `dbt_project.yml`, `profiles.yml` or an option is wrong.
    #[error("{message}{}", at(location.as_ref()))]
    Config {
        /// Where, when it is a file.
        location: Option<Location>,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A template does not parse, or fails while rendering.
    #[error("{}", template_text(subject, message, location, stack))]
    Template {
        /// `model fct_rides`, `macro cents_to_units`, ….
        subject: String,
        /// Where.
        location: Box<Location>,
        /// What is wrong.
        message: String,
        /// Macro calls, innermost first: `macro x (macros/x.sql:4)`.
        stack: Vec<String>,
        /// What to do.
        hint: Option<String>,
    },
    /// A node names a model, seed or source that does not exist or is disabled.
    #[error("{subject} depends on {wanted} which {reason}\n  in {location}")]
    UnknownDependency {
        /// The node that names it: `model 'model.p.a'`.
        subject: String,
        /// What it names: `a node named 'b'`, `a source named 'raw.b'`.
        wanted: String,
        /// `was not found` or `is disabled`.
        reason: String,
        /// Where the name stands.
        location: Box<Location>,
        /// The closest existing name.
        hint: Option<String>,
    },
    /// Two things share a name.
    #[error("{what} is defined twice\n  in {first}\n  and {second}")]
    Duplicate {
        /// `model 'fct_rides'`.
        what: String,
        /// One place.
        first: Location,
        /// The other.
        second: Location,
    },
    /// Nodes depend on each other in a circle.
    #[error("found a cycle: {}", path.join(" --> "))]
    Cycle {
        /// The circle, first node repeated at the end.
        path: Vec<String>,
    },
    /// A selector is not understood.
    #[error("cannot select by '{selector}': {message}")]
    Selection {
        /// As given.
        selector: String,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// No node has this id.
    #[error("no node has the id '{unique_id}'")]
    NoSuchNode {
        /// The id.
        unique_id: String,
    },
    /// The database refused what a template asked while it was compiled.
    #[error("{subject}: {source}\n  in {location}")]
    Adapter {
        /// The node.
        subject: String,
        /// Its file.
        location: Location,
        /// The refusal.
        source: AdapterError,
    },
}

fn at(location: Option<&Location>) -> String {
    location.map(|l| format!("\n  in {l}")).unwrap_or_default()
}

fn template_text(subject: &str, message: &str, location: &Location, stack: &[String]) -> String {
    let mut text = format!("{message}\n  in {subject} ({location})");
    for (i, frame) in stack.iter().enumerate() {
        text.push_str(if i == 0 {
            "\n  > in "
        } else {
            "\n  > called by "
        });
        text.push_str(frame);
    }
    text
}

impl Error {
    /// The SQLSTATE of the database's refusal, if it was that.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Adapter { source, .. } => source.sqlstate.as_deref(),
            _ => None,
        }
    }

    /// One line that says what to do, without the word `hint`.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config { hint, .. }
            | Self::Template { hint, .. }
            | Self::UnknownDependency { hint, .. }
            | Self::Selection { hint, .. } => hint.clone(),
            Self::Duplicate { .. } => Some("rename or remove one of them".into()),
            Self::Cycle { .. } => Some("remove one of these references".into()),
            Self::Io { .. }
            | Self::Yaml { .. }
            | Self::NoSuchNode { .. }
            | Self::Adapter { .. } => None,
        }
    }

    /// The place to look at, when there is one.
    #[must_use]
    pub fn location(&self) -> Option<&Location> {
        match self {
            Self::Template { location, .. } | Self::UnknownDependency { location, .. } => {
                Some(location)
            }
            Self::Yaml { location, .. }
            | Self::Duplicate {
                first: location, ..
            }
            | Self::Adapter { location, .. } => Some(location),
            Self::Config { location, .. } => location.as_ref(),
            Self::Io { .. }
            | Self::Cycle { .. }
            | Self::Selection { .. }
            | Self::NoSuchNode { .. } => None,
        }
    }
}
