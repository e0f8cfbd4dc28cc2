//! `profiles.yml`: which database a project is built in.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use jinja::Engine;
use minijinja::value::Value;
use serde_json::{Map, Value as Json};

use crate::context::yaml_scope::{YamlScope, render};
use crate::error::{Error, Location};
use crate::files;
use crate::hint::closest;
use crate::load::LoadOptions;
use crate::yaml;

/// Text that is never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The chosen output of the chosen profile.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Name of the profile.
    pub profile_name: String,
    /// Name of its output.
    pub target_name: String,
    /// Nodes that run at once.
    pub threads: usize,
    /// The database.
    pub target: PostgresTarget,
}

/// Where and how to connect. Field names are dbt-postgres' own.
#[derive(Debug, Clone)]
pub struct PostgresTarget {
    /// Host name, address or socket folder.
    pub host: String,
    /// Port; 5432 when absent.
    pub port: u16,
    /// Role to log in as.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// Database (`dbname` or `database`).
    pub dbname: String,
    /// Default schema of the target.
    pub schema: String,
    /// `disable`, `prefer`, `require`, `verify-ca`, `verify-full`.
    pub sslmode: Option<String>,
    /// Certificate authority file.
    pub sslrootcert: Option<String>,
    /// Client certificate file.
    pub sslcert: Option<String>,
    /// Client key file.
    pub sslkey: Option<String>,
    /// Seconds to wait for a connection; 10 when absent.
    pub connect_timeout: u64,
    /// Connection attempts after the first; 1 when absent.
    pub retries: u32,
    /// `search_path` of every session.
    pub search_path: Option<String>,
    /// `set role` of every session.
    pub role: Option<String>,
    /// Seconds between TCP keepalives; 0 = the system's.
    pub keepalives_idle: u64,
    /// `application_name`; `dbt` when absent.
    pub application_name: Option<String>,
}

/// What a profile is chosen by.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) project_dir: &'a Path,
    pub(crate) profiles_dir: Option<&'a Path>,
    pub(crate) profile: &'a str,
    pub(crate) target: Option<&'a str>,
    pub(crate) threads: Option<usize>,
    pub(crate) scope: YamlScope,
}

fn wrong(path: &Path, message: String, hint: Option<String>) -> Error {
    Error::Config {
        location: Some(Location::file(path)),
        message,
        hint,
    }
}

/// The folders a `profiles.yml` is looked for in, most wanted first.
fn folders(
    project_dir: &Path,
    profiles_dir: Option<&Path>,
    env: &BTreeMap<String, String>,
) -> Vec<PathBuf> {
    let env = |name: &str| env.get(name).filter(|value| !value.is_empty());
    if let Some(dir) = profiles_dir {
        return vec![dir.to_owned()];
    }
    if let Some(dir) = env("DBT_PROFILES_DIR") {
        return vec![PathBuf::from(dir)];
    }
    let home = env("HOME").map(|home| Path::new(home).join(".dbt"));
    std::iter::once(project_dir.to_owned())
        .chain(home)
        .collect()
}

/// The folder whose `profiles.yml` is read, or the last one that is looked in.
#[must_use]
pub fn folder(options: &LoadOptions) -> PathBuf {
    let (project, given) = (&options.project_dir, options.profiles_dir.as_deref());
    let mut searched = folders(project, given, &options.env);
    let found = searched
        .iter()
        .position(|dir| dir.join("profiles.yml").is_file());
    let at = found.unwrap_or(searched.len().saturating_sub(1));
    searched.swap_remove(at)
}

impl Profile {
    /// Reads the chosen output of the chosen profile.
    pub(crate) fn load(engine: &Engine, wanted: &Wanted<'_>) -> Result<Self, Error> {
        let folders = folders(wanted.project_dir, wanted.profiles_dir, &wanted.scope.env);
        let Some(path) = folders
            .iter()
            .map(|dir| dir.join("profiles.yml"))
            .find(|path| path.is_file())
        else {
            let searched: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
            return Err(Error::Config {
                location: None,
                message: format!("no profiles.yml found in {}", searched.join(" or ")),
                hint: Some("name its folder with --profiles-dir or DBT_PROFILES_DIR".into()),
            });
        };
        let text = files::read(&path)?;
        let all = yaml::parse(&text, &path)?;
        let name = wanted.profile;
        let Some(Json::Object(profile)) = all.get(name) else {
            let known = all
                .as_object()
                .into_iter()
                .flat_map(|map| map.keys().map(String::as_str));
            let hint = closest(name, known).map(|found| format!("did you mean '{found}'?"));
            return Err(wrong(
                &path,
                format!("could not find profile named '{name}'"),
                hint,
            ));
        };
        let default = profile
            .get("target")
            .cloned()
            .unwrap_or_else(|| Json::from("default"));
        let default = render(&default, engine, &wanted.scope, &path, &|_| false)?;
        let target = wanted.target.or(default.as_str()).unwrap_or("default");
        let outputs = profile.get("outputs").and_then(Json::as_object);
        let Some(output) = outputs.and_then(|outputs| outputs.get(target)) else {
            let known: Vec<&str> = outputs
                .into_iter()
                .flat_map(|o| o.keys().map(String::as_str))
                .collect();
            return Err(wrong(
                &path,
                format!("the profile '{name}' does not have a target named '{target}'"),
                Some(format!("its targets are: {}", known.join(", "))),
            ));
        };
        let rendered = render(output, engine, &wanted.scope, &path, &|_| false)?;
        let Json::Object(output) = rendered else {
            return Err(wrong(
                &path,
                format!("target '{target}' must be a mapping"),
                None,
            ));
        };
        let reader = Reader {
            output: &output,
            path: &path,
            target,
        };
        let kind = reader.required("type")?;
        if kind != "postgres" {
            return Err(wrong(
                &path,
                format!("target '{target}' has type '{kind}', which is not supported"),
                Some("use 'type: postgres'".into()),
            ));
        }
        Ok(Self {
            profile_name: name.to_owned(),
            target_name: target.to_owned(),
            threads: wanted
                .threads
                .or(reader.number("threads")?)
                .unwrap_or(1)
                .max(1),
            target: reader.postgres()?,
        })
    }

    /// `target` of templates; the password is not in it.
    pub(crate) fn template_value(&self) -> Value {
        let Self {
            profile_name,
            target_name,
            threads,
            target,
        } = self;
        // in dbt's order: some write all of it down
        let pairs = [
            ("host", Value::from(target.host.as_str())),
            ("port", Value::from(target.port)),
            ("user", Value::from(target.user.as_str())),
            ("database", Value::from(target.dbname.as_str())),
            ("schema", Value::from(target.schema.as_str())),
            ("connect_timeout", Value::from(target.connect_timeout)),
            ("role", Value::from(target.role.clone())),
            ("search_path", Value::from(target.search_path.clone())),
            ("keepalives_idle", Value::from(target.keepalives_idle)),
            ("sslmode", Value::from(target.sslmode.clone())),
            ("sslcert", Value::from(target.sslcert.clone())),
            ("sslkey", Value::from(target.sslkey.clone())),
            ("sslrootcert", Value::from(target.sslrootcert.clone())),
            (
                "application_name",
                Value::from(target.application_name.as_deref().unwrap_or("dbt")),
            ),
            ("autocommit", Value::from(false)),
            ("retries", Value::from(target.retries)),
            ("dbname", Value::from(target.dbname.as_str())),
            ("type", Value::from("postgres")),
            ("threads", Value::from(*threads)),
            ("name", Value::from(target_name.as_str())),
            ("target_name", Value::from(target_name.as_str())),
            ("profile_name", Value::from(profile_name.as_str())),
        ];
        jinja::list::dict(pairs.map(|(key, value)| (Value::from(key), value)))
    }
}

/// One output of a profile.
struct Reader<'a> {
    output: &'a Map<String, Json>,
    path: &'a Path,
    target: &'a str,
}

impl Reader<'_> {
    fn text(&self, key: &str) -> Option<String> {
        match self.output.get(key)? {
            Json::Null => None,
            Json::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    fn required(&self, key: &str) -> Result<String, Error> {
        self.text(key).ok_or_else(|| {
            wrong(
                self.path,
                format!("target '{}' has no '{key}'", self.target),
                None,
            )
        })
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, Error> {
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            wrong(
                self.path,
                format!(
                    "'{key}' of target '{}' must be a number, not '{text}'",
                    self.target
                ),
                None,
            )
        })
    }

    fn postgres(&self) -> Result<PostgresTarget, Error> {
        let either = |a: &str, b: &str| match self.text(a).or_else(|| self.text(b)) {
            Some(text) => Ok(text),
            None => self.required(a),
        };
        Ok(PostgresTarget {
            host: self.required("host")?,
            port: self.number("port")?.unwrap_or(5432),
            user: either("user", "username")?,
            password: Secret::new(either("password", "pass")?),
            dbname: either("dbname", "database")?,
            schema: self.required("schema")?,
            sslmode: self.text("sslmode"),
            sslrootcert: self.text("sslrootcert"),
            sslcert: self.text("sslcert"),
            sslkey: self.text("sslkey"),
            connect_timeout: self.number("connect_timeout")?.unwrap_or(10),
            retries: self.number("retries")?.unwrap_or(1),
            search_path: self.text("search_path").filter(|path| !path.is_empty()),
            role: self.text("role").filter(|role| !role.is_empty()),
            keepalives_idle: self.number("keepalives_idle")?.unwrap_or(0),
            application_name: self.text("application_name"),
        })
    }
}
