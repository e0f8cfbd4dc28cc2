//! One entry of `packages.yml`.

use serde_json::{Map, Value as Json, json};

use crate::yaml::kind;

/// Where a package comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A folder below or beside the project.
    Local,
    /// A git repository.
    Git,
    /// dbt's package index.
    Hub,
    /// An archive somewhere.
    Tarball,
}

impl Origin {
    /// The key that holds the address.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Git => "git",
            Self::Hub => "package",
            Self::Tarball => "tarball",
        }
    }
}

/// A package as a project asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where it comes from.
    pub origin: Origin,
    /// Folder, repository, name in the index or archive.
    pub address: String,
    /// Everything the file says, rendered.
    pub map: Map<String, Json>,
    /// The same as written.
    unrendered: Map<String, Json>,
}

impl Entry {
    /// Reads one item of the list `packages`; `unrendered` is the item before it was rendered.
    pub(super) fn read(item: &Json, unrendered: &Json) -> Result<Self, String> {
        let Json::Object(map) = item else {
            return Err(format!("expected a mapping, found {}", kind(item)));
        };
        let origin = [Origin::Local, Origin::Tarball, Origin::Git, Origin::Hub]
            .into_iter()
            .find(|origin| map.contains_key(origin.key()));
        let Some(origin) = origin else {
            return Err(match map.get("private").and_then(Json::as_str) {
                Some(name) => {
                    format!("private package '{name}' needs a service of dbt's: use 'git' instead")
                }
                None => "a package needs one of 'local', 'git', 'package', 'tarball'".into(),
            });
        };
        let address = map.get(origin.key()).and_then(Json::as_str).unwrap_or("");
        if address.is_empty() {
            return Err(format!("'{}' has no value", origin.key()));
        }
        if origin == Origin::Hub {
            if map.get("version").is_none_or(Json::is_null) {
                return Err(format!(
                    "{address} is missing the version. When installing from the Hub package index, \
                     version is a required property"
                ));
            }
            if !address.contains('/') {
                return Err(format!(
                    "{address} was not found in the package index. Packages on the index require a \
                     namespace, e.g dbt-labs/dbt_utils"
                ));
            }
        }
        Ok(Self {
            origin,
            address: address.to_owned(),
            map: map.clone(),
            unrendered: unrendered.as_object().cloned().unwrap_or_default(),
        })
    }

    /// What dbt's lock file is hashed from: every key that dbt knows, those not given as null.
    pub(super) fn hashed(&self) -> Json {
        let given = |key: &str| self.map.get(key).cloned().unwrap_or(Json::Null);
        let mut all = match self.origin {
            Origin::Local => json!({"local": self.address}),
            Origin::Tarball => json!({"tarball": self.address}),
            Origin::Git => json!({
                "git": self.address,
                "revision": given("revision"),
                "warn-unpinned": given("warn-unpinned"),
                "subdirectory": given("subdirectory"),
            }),
            Origin::Hub => json!({
                "package": self.address,
                "version": given("version"),
                "install_prerelease": self.map.get("install_prerelease").cloned()
                    .unwrap_or(Json::Bool(false)),
            }),
        };
        if let Some(name) = self.map.get("name").filter(|name| !name.is_null()) {
            all["name"] = name.clone();
        }
        all["unrendered"] = Json::Object(self.unrendered.clone());
        all
    }

    /// The names its project may have, the likeliest first: its folder is found by them.
    pub(super) fn likely_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .map
            .get("name")
            .and_then(Json::as_str)
            .map(str::to_owned)
            .into_iter()
            .collect();
        let last = self.address.trim_end_matches('/').rsplit(['/', ':']).next();
        let last = last.unwrap_or_default().trim_end_matches(".git");
        let path = self.map.get("subdirectory").and_then(Json::as_str);
        let below = path.and_then(|path| path.trim_end_matches('/').rsplit('/').next());
        for name in below.into_iter().chain([last]) {
            names.push(name.to_owned());
            names.push(name.replace('-', "_"));
            names.push(name.trim_start_matches("dbt-").replace('-', "_"));
        }
        names
    }

    /// `dbt-labs/dbt_utils 1.1.1`, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        let version = ["version", "revision"]
            .iter()
            .find_map(|key| self.map.get(*key))
            .map(|version| match version {
                Json::String(text) => format!(" {text}"),
                Json::Array(items) => {
                    let parts: Vec<&str> = items.iter().filter_map(Json::as_str).collect();
                    format!(" {}", parts.join(","))
                }
                other => format!(" {other}"),
            });
        format!("{}{}", self.address, version.unwrap_or_default())
    }
}
