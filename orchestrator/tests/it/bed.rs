//! A copy of the fixture project, a database of its own, and the real binary.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use regex::Regex;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tempfile::TempDir;

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Bed {
    folder: TempDir,
    admin: String,
    database: String,
    /// user, password, host, port
    server: [String; 4],
    /// What the models are built in.
    schema: String,
    /// The database is the stack's own, as Trino knows no other. Whoever uses it holds its turn: a move waits for
    /// every statement that Trino runs, those of other tests included.
    turn: Option<MutexGuard<'static, ()>>,
}

impl Bed {
    /// A fresh database and a copy of `tests/fixtures/shop`.
    pub(crate) fn new() -> Self {
        Self::of("shop")
    }

    /// A fresh database and a copy of a fixture.
    pub(crate) fn of(fixture: &str) -> Self {
        let database = format!(
            // of one length: the server cuts long lines of errors by it
            "it_orchestrator_{:07}_{:03}",
            std::process::id(),
            number()
        );
        let bed = Self::in_database(fixture, database, fixture.to_owned(), None);
        let created = bed.ask_admin(&format!("create database {}", bed.database));
        created.expect("Postgres answers: start it with `make up`, or set RIDEHAIL_DATABASE_URL");
        bed
    }

    /// A fresh database and a copy of a project of `tests/compat`.
    pub(crate) fn of_compat(project: &str) -> Self {
        let bed = Self::of("shop");
        bed.start_over_from(project);
        bed
    }

    /// The project as it was, in an empty database.
    pub(crate) fn start_over(&mut self, project: &str) {
        self.start_over_from(project);
        let drop = format!("drop database if exists {} with (force)", self.database);
        // an autovacuum worker in it is nobody's to end: it ends by itself
        until("the database to be dropped", || {
            self.ask_admin(&drop).is_ok()
        });
        self.ask_admin(&format!("create database {}", self.database))
            .unwrap();
    }

    fn start_over_from(&self, project: &str) {
        for entry in fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
        let projects = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat");
        copy(&projects.join(project), self.folder.path());
        let profiles = self.folder.path().join("profiles.yml");
        fs::copy(projects.join("profiles.yml"), profiles).unwrap();
    }

    /// `text` without the names of this run.
    pub(crate) fn anonymous(&self, text: &str) -> String {
        let path = self.folder.path().to_string_lossy();
        let text = text
            .replace(&*path, "[project]")
            .replace(&self.database, "[database]");
        text.replace(&format!("port {}", self.server[3]), "port [port]")
    }

    /// A copy of a fixture, and a schema of its own in the database that Trino reads. `None`, with a word, when
    /// there is no Trino.
    #[expect(clippy::print_stderr, reason = "a test that is not run must say so")]
    pub(crate) fn with_trino(fixture: &str) -> Option<Self> {
        if std::env::var_os("RIDEHAIL_TRINO_URL").is_none() {
            eprintln!("NOT RUN: RIDEHAIL_TRINO_URL is not set");
            return None;
        }
        let schema = format!("it_{fixture}_{}_{}", std::process::id(), number());
        let database = admin_url().rsplit('/').next().map(str::to_owned);
        let database = database.expect("a database is in the URL");
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Self::in_database(fixture, database, schema, Some(turn)))
    }

    fn in_database(
        fixture: &str,
        database: String,
        schema: String,
        turn: Option<MutexGuard<'static, ()>>,
    ) -> Self {
        let admin = admin_url();
        let parts = Regex::new("^postgres(?:ql)?://([^:]+):([^@]*)@([^:/]+):([0-9]+)/").unwrap();
        let found = parts
            .captures(&admin)
            .expect("user, password, host and port are in the URL");
        let server = [1, 2, 3, 4].map(|at| found[at].to_owned());
        let folder = tempfile::tempdir().unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        copy(&fixtures.join(fixture), folder.path());
        Self {
            folder,
            admin,
            database,
            server,
            schema,
            turn,
        }
    }

    /// The schema that models are built in.
    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// A file of the project.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.path().join(path)).unwrap()
    }

    /// Of the test's own database.
    pub(crate) fn url(&self) -> String {
        let [user, password, host, port] = &self.server;
        format!(
            "postgres://{user}:{password}@{host}:{port}/{}",
            self.database
        )
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The binary in the project's folder, knowing nothing of the machine it runs on.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let [user, password, host, port] = &self.server;
        let mut command = Command::new(env!("CARGO_BIN_EXE_ridehail"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("SHOP_USER", user)
            .env("SHOP_PASSWORD", password)
            .env("SHOP_HOST", host)
            .env("SHOP_PORT", port)
            .env("SHOP_DATABASE", &self.database)
            .env("SHOP_SCHEMA", &self.schema)
            .env("COMPAT_USER", user)
            .env("COMPAT_PASSWORD", password)
            .env("COMPAT_HOST", host)
            .env("COMPAT_PORT", port)
            .env("COMPAT_DATABASE", &self.database)
            // a place of its own among the objects
            .env(
                "RIDEHAIL_S3_WAREHOUSE",
                format!("it/{}/{}", self.database, self.schema),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let passed = |name: &str| {
            let of_s3 = name.starts_with("RIDEHAIL_S3_") && name != "RIDEHAIL_S3_WAREHOUSE";
            of_s3 || (self.turn.is_some() && name.starts_with("RIDEHAIL_TRINO_"))
        };
        command.envs(std::env::vars().filter(|(name, _)| passed(name)));
        command
    }

    /// Runs the binary to its end; exit code, output and errors as one text without times and paths.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        self.transcript(arguments, &output)
    }

    pub(crate) fn transcript(&self, arguments: &[&str], output: &Output) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let whole = format!(
            "$ ridehail {}\n{}--- stderr\n{}--- exit code {:?}\n",
            arguments.join(" "),
            text(&output.stdout),
            text(&output.stderr),
            output.status.code(),
        );
        self.filtered(&whole)
    }

    fn filtered(&self, text: &str) -> String {
        let path = self.folder.path().to_string_lossy();
        let text = text.replace(&*path, "[project]").replace(
            &self.database,
            if self.turn.is_some() {
                &self.database
            } else {
                "[database]"
            },
        );
        let text = text.replace(&format!(":{}", self.server[3]), ":[port]");
        let text = text.replace(&format!("port {}", self.server[3]), "port [port]");
        let filters = [
            (r"(?m)^\d\d:\d\d:\d\d  ", "[time]  "),
            (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+Z)?( UTC)?", "[at]"),
            (r" +\d+\.\d+s\b", " [s]"),
            (r"\d+\.\d+ seconds \([^)]*\)", "[s] seconds ([s])"),
            (r"(?m)(took) +\[s\]", "$1 [s]"),
            (
                r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
                "[uuid]",
            ),
            // the built-in ones are many, and become more
            (r"\b\d+ macros", "[n] macros"),
            // what the archive says of sizes, contents and snapshots
            (r" +\d+(\.\d+)? k?B\b", " [size]"),
            (r"(?m)^digest .*", "digest [digest]"),
            (r"(?m)^(snapshot +)\d+$", "$1[snapshot]"),
            (r"those before \S+ are", "those before [day] are"),
        ];
        filters.iter().fold(text, |text, (pattern, put)| {
            Regex::new(pattern)
                .unwrap()
                .replace_all(&text, *put)
                .into_owned()
        })
    }

    /// One text value of the test's own database.
    pub(crate) fn ask(&self, sql: &str) -> Option<String> {
        ask(&self.url(), sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The same, when it may fail.
    pub(crate) fn try_ask(&self, sql: &str) -> Result<Option<String>, sqlx::Error> {
        ask(&self.url(), sql)
    }

    /// Where a file of the project is.
    pub(crate) fn path(&self, path: &str) -> String {
        self.folder.path().join(path).display().to_string()
    }

    /// A further, empty database, with the same project.
    pub(crate) fn another_database(&self) -> Self {
        let mut other = Self::of("vault");
        other.schema.clone_from(&self.schema);
        other
    }

    /// Takes what the archive knows of the schema out of a database that others use too.
    fn forget_schema(&self) {
        let schema = &self.schema;
        let mut statements = vec![format!("drop schema if exists {schema} cascade")];
        let of_ledger =
            |table: &str| format!("delete from lake.{table} where table_schema = '{schema}'");
        let moves = format!("select move_id from lake.moves where table_schema = '{schema}'");
        statements.push(format!("delete from lake.files where move_id in ({moves})"));
        statements.extend(["moves", "refused_rows", "tables", "boundaries"].map(of_ledger));
        statements.push(format!("drop table if exists lake.late_{schema}_readings"));
        statements.push(format!(
            "delete from lake_catalog.iceberg_tables where table_namespace = '{schema}'"
        ));
        for statement in statements {
            // leftovers of a test
            let _ = self.ask_admin(&statement);
        }
    }

    fn ask_admin(&self, sql: &str) -> Result<Option<String>, sqlx::Error> {
        ask(&self.admin, sql)
    }

    /// Asks again until the statement answers `wanted`.
    pub(crate) fn wait_for(&self, sql: &str, wanted: &str) {
        until(sql, || self.ask(sql).as_deref() == Some(wanted));
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if self.turn.is_some() {
            self.forget_schema();
            return;
        }
        // what cannot be dropped now is only a leftover of a test database
        let _ = self.ask_admin(&format!(
            "drop database if exists {} with (force)",
            self.database
        ));
    }
}

fn number() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

fn admin_url() -> String {
    std::env::var("RIDEHAIL_DATABASE_URL")
        .unwrap_or_else(|_| "postgres://ridehail:ridehail@127.0.0.1:15032/warehouse".to_owned())
}

/// Looks again until `done`; panics with `what` when it takes too long.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited too long for: {what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// Sends a signal by name.
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success(), "kill -{name}");
}

fn ask(url: &str, sql: &str) -> Result<Option<String>, sqlx::Error> {
    // a thread of its own: the caller may stand in a runtime
    std::thread::scope(|scope| scope.spawn(|| ask_here(url, sql)).join().unwrap())
}

fn ask_here(url: &str, sql: &str) -> Result<Option<String>, sqlx::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        let row = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .fetch_optional(&mut connection)
            .await?;
        connection.close().await?;
        // the simple protocol answers in text, whatever the type
        row.map_or(Ok(None), |row| {
            row.try_get_unchecked::<Option<String>, _>(0)
        })
    })
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
