//! The command line: one file a verb. A verb gets its arguments, does its work through the rest of the crate
//! and returns an exit code: 0 all well, 1 a handled failure (a node failed), 2 anything unhandled or misused.

mod archive;
pub mod before_verb;
mod build;
mod clean;
mod clone;
mod compile;
mod compiling;
pub mod console;
mod debug;
mod deps;
mod docs;
mod druid;
mod generate;
mod init;
mod jobs;
mod json_log;
mod ls;
mod parse;
pub mod printer;
mod query;
mod reconcile;
mod retry;
mod run;
mod run_operation;
mod runs;
mod seed;
mod serve;
mod show;
mod signals;
mod snapshot;
mod source;
mod stream;
mod teller;
mod test;
mod topics;
mod walk;

use std::process::ExitCode;

use clap::{ArgAction, Command, Parser, Subcommand};

use crate::config::LogArgs;
use crate::run::events::Event;
use crate::run::failure::lake_hint;
use crate::secrets::Secrets;
use printer::Printer;

/// Builds dbt projects on Postgres, on a schedule, feeds them from Kafka, and keeps their past in Iceberg.
#[derive(Debug, Parser)]
#[command(
    name = "ridehail",
    version,
    disable_version_flag = true,
    propagate_version = true,
    max_term_width = 100,
    subcommand_value_name = "VERB"
)]
pub struct Cli {
    /// Verb.
    #[command(subcommand)]
    pub verb: Verb,
    /// Output.
    #[command(flatten)]
    pub log: LogArgs,
    /// Print version
    #[arg(short = 'V', visible_short_alias = 'v', long, global = true, action = ArgAction::Version)]
    pub version: Option<bool>,
}

/// What to do. A new verb is a file, a line here, and a word in [`GROUPS`].
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Build seeds and models and test them, in dependency order
    Build(build::BuildArgs),
    /// Build models
    Run(run::RunArgs),
    /// Run data tests
    Test(test::TestArgs),
    /// Load CSV seeds
    Seed(seed::SeedArgs),
    /// Record how rows change over time
    Snapshot(snapshot::SnapshotArgs),
    /// Make views over what another environment has built
    Clone(clone::CloneArgs),
    /// Run a query of a node, or one typed here, and print its first rows
    Show(show::ShowArgs),
    /// Call a macro
    RunOperation(run_operation::RunOperationArgs),
    /// Write the SQL of nodes to target/compiled without running it
    Compile(compile::CompileArgs),
    /// Make a project and a profile to begin with
    Init(init::InitArgs),
    /// Put the packages that packages.yml asks for into dbt_packages
    Deps(deps::DepsArgs),
    /// Delete the folders of clean-targets
    Clean(clean::CleanArgs),
    /// Read and check the project
    Parse(parse::ParseArgs),
    /// Check profile, project and connection
    Debug(debug::DebugArgs),
    /// List nodes
    #[command(visible_alias = "list")]
    Ls(ls::LsArgs),
    /// Run again what failed or was skipped in the last run
    Retry(retry::RetryArgs),
    /// Tell which sources have had no new rows for too long
    Source(source::SourceArgs),
    /// Make and show the project's documentation
    Docs(docs::DocsArgs),
    /// List, show and cancel recorded runs
    Runs(runs::RunsArgs),
    /// List and trigger the jobs of jobs.yml
    Jobs(jobs::JobsArgs),
    /// Run the scheduler and the web page
    Serve(Box<serve::ServeVerb>),
    /// Simulate cities and send their events to Kafka
    Generate(Box<generator::GenerateArgs>),
    /// Compare the topics of the cluster with the topics file, and make them so
    Topics(topics::TopicsArgs),
    /// Land topics in Postgres exactly once
    Stream(Box<stream::StreamArgs>),
    /// Keep Druid's supervisors, retention and compaction as the spec files say
    Druid(streaming::druid::DruidArgs),
    /// Move old days of tables to Iceberg, with proof
    Archive(Box<archive::ArchiveArgs>),
    /// Run a statement on Trino and print what it answers
    Query(query::QueryArgs),
    /// Compare the figures of all systems with what was acknowledged
    Reconcile(reconcile::ReconcileArgs),
}

/// The verbs by purpose, as `--help` lists them.
pub const GROUPS: &[(&str, &[&str])] = &[
    (
        "Build",
        &[
            "build",
            "run",
            "test",
            "seed",
            "snapshot",
            "clone",
            "retry",
            "compile",
            "show",
            "ls",
            "source",
            "docs",
            "run-operation",
        ],
    ),
    ("Project", &["init", "deps", "clean", "parse", "debug"]),
    ("Runs", &["runs", "jobs", "serve"]),
    ("Streams", &["generate", "topics", "stream", "druid"]),
    ("Lake", &["archive", "query"]),
    ("Check", &["reconcile"]),
];

impl Verb {
    /// Whether it goes on until told to stop; then its log says what it does.
    #[must_use]
    pub fn stays(&self) -> bool {
        match self {
            Self::Serve(_) => true,
            Self::Generate(args) => args.live,
            Self::Stream(args) => args.stays(),
            Self::Docs(args) => args.stays(),
            Self::Topics(_) | Self::Druid(_) => false,
            Self::Build(_)
            | Self::Run(_)
            | Self::Test(_)
            | Self::Seed(_)
            | Self::Snapshot(_)
            | Self::Clone(_)
            | Self::Compile(_)
            | Self::Show(_)
            | Self::RunOperation(_)
            | Self::Init(_)
            | Self::Deps(_)
            | Self::Clean(_)
            | Self::Parse(_)
            | Self::Debug(_)
            | Self::Ls(_)
            | Self::Retry(_)
            | Self::Source(_)
            | Self::Runs(_)
            | Self::Jobs(_)
            | Self::Archive(_)
            | Self::Query(_)
            | Self::Reconcile(_) => false,
        }
    }
}

/// Carries out the verb.
pub async fn dispatch(cli: Cli) -> ExitCode {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let printer = Printer::new(cli.log.is_plain(), no_color);
    let log = cli.log;
    let done = match cli.verb {
        Verb::Build(args) => build::execute(args, &log, &printer).await,
        Verb::Run(args) => run::execute(args, &log, &printer).await,
        Verb::Test(args) => test::execute(args, &log, &printer).await,
        Verb::Seed(args) => seed::execute(args, &log, &printer).await,
        Verb::Snapshot(args) => snapshot::execute(args, &log, &printer).await,
        Verb::Compile(args) => compile::execute(args, &log, &printer).await,
        Verb::Clone(args) => clone::execute(args, &log, &printer).await,
        Verb::Show(args) => show::execute(args, &log, &printer).await,
        Verb::RunOperation(args) => run_operation::execute(args, &log, &printer).await,
        Verb::Init(args) => init::execute(args, &log, &printer).await,
        Verb::Deps(args) => deps::execute(args, &log, &printer).await,
        Verb::Clean(args) => clean::execute(args, &log, &printer).await,
        Verb::Parse(args) => parse::execute(args, &log, &printer).await,
        Verb::Debug(args) => debug::execute(args, &printer).await,
        Verb::Ls(args) => ls::execute(args, &log, &printer).await,
        Verb::Retry(args) => retry::execute(args, &log, &printer).await,
        Verb::Source(args) => source::execute(args, &log, &printer).await,
        Verb::Docs(args) => docs::execute(args, &log, &printer).await,
        Verb::Runs(args) => runs::execute(args, &printer).await,
        Verb::Jobs(args) => jobs::execute(args, &printer).await,
        Verb::Serve(args) => serve::execute(*args).await,
        Verb::Generate(args) => generate::execute(*args, &printer).await,
        Verb::Topics(args) => topics::execute(args, &printer).await,
        Verb::Stream(args) => stream::execute(*args, &printer).await,
        Verb::Druid(args) => druid::execute(args, &printer).await,
        Verb::Archive(args) => archive::execute(*args, &log, &printer).await,
        Verb::Query(args) => query::execute(args, &log, &printer).await,
        Verb::Reconcile(args) => reconcile::execute(args, &printer).await,
    };
    if let Some(error) = printer.broken() {
        let error = anyhow::anyhow!("cannot write to standard output: {error}");
        return fail(&error, 2);
    }
    match done {
        Ok(code) => code,
        Err(error) => fail(&error, 2),
    }
}

/// Says on standard error what a person should know, for verbs whose standard output is their answer.
fn warn(event: Event) {
    // a list is no place to tell of each test that is written as it once was
    if let Event::Warning(warning) = event
        && !warning.is_deprecation()
    {
        tracing::warn!("{warning}");
    }
}

/// Says on standard error what failed and what to do about it. A reader of standard output that hung up
/// (`| head`) got what it wanted: that is no failure.
#[expect(clippy::print_stderr, reason = "this is where errors are told")]
#[must_use]
pub fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    let hung_up = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(hung_up) {
        return ExitCode::SUCCESS;
    }
    let mut told = String::new();
    let mut hints: Vec<String> = hint(error).into_iter().collect();
    for cause in error.chain().map(ToString::to_string) {
        let (advice, words): (Vec<&str>, Vec<&str>) =
            cause.lines().partition(|line| line.starts_with("hint:"));
        hints.extend(
            advice
                .iter()
                .map(|line| line.trim_start_matches("hint:").trim().to_owned()),
        );
        let words = words.join("\n");
        // many errors name their source in their own words already
        if !told.contains(&words) {
            let between = if told.is_empty() { "" } else { ": " };
            told = format!("{told}{between}{words}");
        }
    }
    let secrets = Secrets::here();
    eprintln!("error: {}", secrets.hide(&told));
    for hint in hints {
        eprintln!("hint: {}", secrets.hide(&hint));
    }
    ExitCode::from(code)
}

/// The advice of the first error in the chain that has some.
fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        let owned = ToOwned::to_owned;
        None.or_else(|| cause.downcast_ref::<crate::run::invoke::Error>()?.hint())
            .or_else(|| cause.downcast_ref::<project::Error>()?.hint())
            .or_else(|| cause.downcast_ref::<Box<project::Error>>()?.hint())
            .or_else(|| cause.downcast_ref::<warehouse::Error>()?.hint().map(owned))
            .or_else(|| Some(owned(cause.downcast_ref::<crate::store::Error>()?.hint())))
            .or_else(|| lake_hint(cause.downcast_ref::<lake::Error>()?).map(owned))
            .or_else(|| {
                cause
                    .downcast_ref::<lake::trino::Error>()?
                    .hint()
                    .map(owned)
            })
            .or_else(|| Some(owned(cause.downcast_ref::<crate::jobs::Error>()?.hint())))
            .or_else(|| cause.downcast_ref::<crate::web::Error>()?.hint().map(owned))
            .or_else(|| Some(cause.downcast_ref::<Advice>()?.hint.clone()))
    })
}

/// A failure of a verb itself, with advice.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Advice {
    /// What failed, on what.
    pub what: String,
    /// What to do.
    pub hint: String,
}

/// `command` with its verbs listed by purpose instead of in one row.
#[must_use]
pub fn grouped(command: Command) -> Command {
    let about = |name: &str| {
        let verb = command.find_subcommand(name)?;
        Some(
            verb.get_about()
                .map(ToString::to_string)
                .unwrap_or_default(),
        )
    };
    let mut listing = String::new();
    for (purpose, verbs) in GROUPS {
        let lines: Vec<String> = verbs
            .iter()
            .filter_map(|name| Some(format!("  {name:<10} {}\n", about(name)?)))
            .collect();
        if !lines.is_empty() {
            listing.push_str(&format!("{purpose}:\n{}\n", lines.concat()));
        }
    }
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{listing}Options:\n{{options}}\n\n\
         `ridehail VERB --help` tells the options of a verb."
    );
    command.help_template(template)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_verb_has_a_purpose() {
        let command = Cli::command();
        command.clone().debug_assert();
        for verb in command
            .get_subcommands()
            .map(Command::get_name)
            .filter(|name| *name != "help")
        {
            let groups = GROUPS
                .iter()
                .filter(|(_, verbs)| verbs.contains(&verb))
                .count();
            assert_eq!(groups, 1, "{verb}");
        }
    }
}
