//! Opening sessions: the profile's words to the driver's, and errors a person can act on.

use std::time::Duration;

use project::PostgresTarget;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions};

use crate::error::Error;

/// `application_name` of a session when the profile names none.
const APPLICATION: &str = "ridehail";

/// How often a server that runs a statement looks whether we are still there. Without it a killed
/// process leaves its statement running, and its locks held, until the statement ends by itself.
const CHECK_CLIENT: &str = "set client_connection_check_interval = '2s'";

/// Opens sessions to one target.
#[derive(Debug)]
pub(crate) struct Door {
    options: PgConnectOptions,
    target: PostgresTarget,
    /// The time zone this server gives a session that asks for none; `None` = UTC.
    time_zone: tokio::sync::OnceCell<Option<String>>,
}

/// An open session and its process on the server.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connection: PgConnection,
    pub(crate) pid: i32,
}

impl Door {
    /// Connects nothing yet.
    pub(crate) fn new(target: &PostgresTarget) -> Result<Self, Error> {
        Ok(Self {
            options: options(target)?,
            target: target.clone(),
            time_zone: tokio::sync::OnceCell::new(),
        })
    }

    /// The database.
    pub(crate) fn database(&self) -> &str {
        &self.target.dbname
    }

    /// A session ready for work: role, time zone and search path as the profile and the server say.
    pub(crate) async fn open(&self) -> Result<Session, Error> {
        let mut connection = self.connect().await?;
        let time_zone = self
            .time_zone
            .get_or_try_init(|| server_time_zone(&mut connection))
            .await?
            .clone();
        // not on servers before 14, nor on systems that cannot tell; work goes on without
        if connection
            .server_version_num()
            .is_some_and(|version| version >= 140_000)
            && let Err(error) = sqlx::raw_sql(CHECK_CLIENT).execute(&mut connection).await
        {
            tracing::debug!(%error, "the server cannot watch its clients");
        }
        let mut setup = String::new();
        if let Some(zone) = time_zone {
            setup.push_str(&format!(
                "set timezone to {};",
                crate::names::literal(&zone)
            ));
        }
        if let Some(role) = &self.target.role {
            setup.push_str(&format!("set role {role};"));
        }
        setup.push_str("select pg_backend_pid()");
        let row = sqlx::raw_sql(AssertSqlSafe(setup.as_str()))
            .fetch_one(&mut connection)
            .await
            .map_err(|e| self.refused(e))?;
        let pid = crate::value::text(&row, 0)?
            .and_then(|pid| pid.parse().ok())
            .ok_or_else(|| Error::Answer {
                message: "no backend pid".to_owned(),
            })?;
        Ok(Session { connection, pid })
    }

    /// A bare connection; tries again as often as the profile says while nobody answers.
    pub(crate) async fn connect(&self) -> Result<PgConnection, Error> {
        let limit = Duration::from_secs(self.target.connect_timeout.max(1));
        let mut attempt = 0;
        loop {
            let result = match tokio::time::timeout(limit, self.options.connect()).await {
                Ok(result) => result.map_err(|e| self.refused(e)),
                Err(_elapsed) => Err(self.unreachable(format!("no answer in {limit:?}"))),
            };
            match result {
                Ok(connection) => return Ok(connection),
                // a wrong password stays wrong
                Err(error) if attempt >= self.target.retries || error.sqlstate().is_some() => {
                    return Err(error);
                }
                Err(error) => {
                    attempt += 1;
                    tracing::debug!(%error, attempt, "connecting failed, trying again");
                    tokio::time::sleep(Duration::from_millis(200) * attempt).await;
                }
            }
        }
    }

    fn place(&self) -> String {
        let PostgresTarget {
            user,
            host,
            port,
            dbname,
            ..
        } = &self.target;
        format!("{user}@{host}:{port}/{dbname}")
    }

    fn unreachable(&self, reason: String) -> Error {
        Error::Connect {
            place: self.place(),
            reason,
            sqlstate: None,
            hint: Some(
                "is the server running, and are host and port in profiles.yml right?".into(),
            ),
        }
    }

    fn refused(&self, error: sqlx::Error) -> Error {
        let sqlx::Error::Database(answer) = error else {
            return self.unreachable(error.to_string());
        };
        let sqlstate = answer.code().map(std::borrow::Cow::into_owned);
        let hint = match sqlstate.as_deref() {
            Some("28P01" | "28000") => Some("check user and password in profiles.yml"),
            Some("3D000") => Some("create the database, or correct dbname in profiles.yml"),
            Some("53300") => Some("lower threads, or raise max_connections on the server"),
            Some("22023" | "42704") => Some("check role in profiles.yml"),
            Some(_) | None => None,
        };
        Error::Connect {
            place: self.place(),
            reason: answer.message().to_owned(),
            sqlstate,
            hint: hint.map(str::to_owned),
        }
    }
}

fn options(target: &PostgresTarget) -> Result<PgConnectOptions, Error> {
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&target.host)
        .port(target.port)
        .username(&target.user)
        .database(&target.dbname)
        .application_name(target.application_name.as_deref().unwrap_or(APPLICATION))
        // 3 = shortest text that reads back as the same float; sqlx would ask for 2
        .extra_float_digits(3)
        // statements are logged by their node, and a seed's rows never
        .disable_statement_logging();
    if !target.password.expose().is_empty() {
        options = options.password(target.password.expose());
    }
    if let Some(mode) = &target.sslmode {
        options = options.ssl_mode(ssl_mode(mode)?);
    }
    if let Some(path) = &target.sslrootcert {
        options = options.ssl_root_cert(path);
    }
    if let Some(path) = &target.sslcert {
        options = options.ssl_client_cert(path);
    }
    if let Some(path) = &target.sslkey {
        options = options.ssl_client_key(path);
    }
    if let Some(path) = target.search_path.as_deref().filter(|p| !p.is_empty()) {
        options = options.options([("search_path", path)]);
    }
    Ok(options)
}

fn ssl_mode(mode: &str) -> Result<PgSslMode, Error> {
    Ok(match mode {
        "disable" => PgSslMode::Disable,
        "allow" => PgSslMode::Allow,
        "prefer" => PgSslMode::Prefer,
        "require" => PgSslMode::Require,
        "verify-ca" => PgSslMode::VerifyCa,
        "verify-full" => PgSslMode::VerifyFull,
        other => {
            return Err(Error::Config {
                message: format!("sslmode `{other}` is unknown"),
                hint: Some(
                    "use disable, allow, prefer, require, verify-ca or verify-full".to_owned(),
                ),
            });
        }
    })
}

/// The driver starts every session in UTC and the server then hides its own default. Role and
/// database settings can still be read by anyone, the configuration file by those allowed to; with
/// none of them readable a session stays in UTC.
async fn server_time_zone(connection: &mut PgConnection) -> Result<Option<String>, Error> {
    const SETTINGS: &str = "select substr(c, length('timezone=') + 1)
        from pg_db_role_setting s, unnest(s.setconfig) c
        where lower(c) like 'timezone=%'
          and s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
          and s.setrole in (0, (select oid from pg_roles where rolname = session_user))
        -- most specific first, as the server applies them
        order by s.setrole <> 0 desc, s.setdatabase <> 0 desc limit 1";
    const FILE: &str = "select setting from pg_file_settings
        where lower(name) = 'timezone' and applied order by seqno desc limit 1";
    const MAY_READ_FILE: &str = "select 1 where has_table_privilege('pg_file_settings', 'select')
        and has_function_privilege('pg_show_all_file_settings()', 'execute')";
    for (guard, sql) in [(None, SETTINGS), (Some(MAY_READ_FILE), FILE)] {
        if let Some(guard) = guard {
            let allowed = sqlx::raw_sql(guard).fetch_optional(&mut *connection).await;
            if !matches!(allowed, Ok(Some(_))) {
                continue;
            }
        }
        let row = sqlx::raw_sql(sql)
            .fetch_optional(&mut *connection)
            .await
            .map_err(|e| Error::from_statement(e, sql))?;
        if let Some(row) = row {
            return crate::value::text(&row, 0);
        }
    }
    Ok(None)
}
