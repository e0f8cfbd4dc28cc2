//! What a saved query asks for and where its answers go.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::words::{Absent, Destination, Filter};

/// A saved query's own keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedQuery {
    /// What it asks for.
    pub query_params: QueryParams,
    /// Where the answers go.
    #[serde(default)]
    pub exports: Vec<Export>,
    /// How people call it.
    #[serde(default)]
    pub label: Option<String>,
    /// Nothing written fills it.
    #[serde(skip_deserializing)]
    pub metadata: Absent,
}

/// What a saved query asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the words are dbt's")]
pub struct QueryParams {
    #[serde(default)]
    pub metrics: Vec<String>,
    #[serde(default)]
    pub group_by: Vec<String>,
    #[serde(default)]
    pub r#where: Option<Filter>,
    #[serde(default)]
    pub order_by: Vec<String>,
    #[serde(default)]
    pub limit: Option<i64>,
}

/// Where answers go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "WrittenExport")]
pub struct Export {
    /// Name.
    pub name: String,
    /// What is made, and where.
    pub config: ExportConfig,
    /// The same as written.
    pub unrendered_config: Map<String, Json>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenExport {
    name: String,
    #[serde(default)]
    config: Map<String, Json>,
}

impl From<WrittenExport> for Export {
    fn from(written: WrittenExport) -> Self {
        Self {
            name: written.name,
            config: ExportConfig::default(),
            unrendered_config: written.config,
        }
    }
}

/// What an export makes, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ExportConfig {
    /// A table or a view; there is no export without.
    pub export_as: Option<Destination>,
    /// Schema.
    pub schema_name: Option<String>,
    /// Name.
    pub alias: Option<String>,
    /// Database.
    pub database: Option<String>,
}

impl Export {
    /// What it says itself, or else what `config` of the whole query says.
    ///
    /// # Errors
    /// Nobody says what it makes, or something that there is not.
    pub(crate) fn configure(
        &mut self,
        config: &indexmap::IndexMap<String, Json>,
    ) -> Result<(), String> {
        let text = |key: &str| {
            let own = self.unrendered_config.get(key);
            let found = own.or_else(|| config.get(key))?;
            found.as_str().map(str::to_owned)
        };
        let Some(word) = text("export_as") else {
            return Err(format!("export '{}' does not say 'export_as'", self.name));
        };
        let known = Destination::ALL.join(", ");
        self.config = ExportConfig {
            export_as: Some(
                Destination::of(&word)
                    .ok_or_else(|| format!("export_as: '{word}' is none of {known}"))?,
            ),
            schema_name: text("schema_name").or_else(|| text("schema")),
            alias: text("alias"),
            database: text("database"),
        };
        Ok(())
    }
}
