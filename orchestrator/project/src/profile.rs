//! `profiles.yml`: which database a project is built in.

use std::fmt;

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
