//! Rights that a dump has, given again where their roles are.
//!
//! Roles are the cluster's, not the database's, so a dump names some that another cluster has not: a restore that
//! insisted would fail. Without any of them Trino could not read the catalog.

use std::path::Path;
use std::process::Stdio;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::{client, run};
use crate::error::{Doing as _, Error};

/// What became of a dump's rights.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Statements that were carried out.
    pub given: usize,
    /// Those that were not, each with why.
    pub left_out: Vec<String>,
}

/// Gives the rights that `file` has.
///
/// # Errors
/// `pg_restore` fails, or Postgres is out of reach.
pub(super) async fn give(options: &PgConnectOptions, file: &Path) -> Result<Grants, Error> {
    let mut command = client("pg_restore", options);
    command
        .args(["--schema-only", "--no-owner", "--file", "-"])
        .arg(file)
        .stdout(Stdio::piped());
    let script = run(command, "pg_restore").await?;
    let mut conn = options.connect().await.doing("connect")?;
    let mut grants = Grants::default();
    for statement in statements(&script) {
        match give_one(&mut conn, statement).await {
            Ok(()) => grants.given += 1,
            Err(error) => {
                let why = error
                    .as_database_error()
                    .map_or_else(|| error.to_string(), |e| e.message().to_owned());
                grants.left_out.push(format!("{statement} ({why})"));
            }
        }
    }
    conn.close().await.doing("close")?;
    Ok(grants)
}

async fn give_one(conn: &mut PgConnection, statement: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(conn)
        .await
        .map(|_| ())
}

/// `pg_restore` writes each on a line of its own. What a function's body says is indented or between dollars, and
/// fails at worst: nothing but a right is ever given by it.
fn statements(script: &str) -> impl Iterator<Item = &str> {
    script.lines().filter(|line| {
        let right = line.starts_with("GRANT ") || line.starts_with("ALTER DEFAULT PRIVILEGES ");
        right && line.ends_with(';')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_found_in_a_script() {
        let script = "CREATE SCHEMA a;\nGRANT USAGE ON SCHEMA a TO trino;\n  GRANT ALL ON b TO c;\nREVOKE ALL ON b FROM d;\n\
                      ALTER DEFAULT PRIVILEGES FOR ROLE r GRANT SELECT ON TABLES TO trino;\nGRANT a";
        let found: Vec<&str> = statements(script).collect();
        assert_eq!(
            found,
            [
                "GRANT USAGE ON SCHEMA a TO trino;",
                "ALTER DEFAULT PRIVILEGES FOR ROLE r GRANT SELECT ON TABLES TO trino;"
            ]
        );
    }
}
