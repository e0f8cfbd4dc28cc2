//! `ridehail clean`.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use project::packages::clean_targets;

use super::Advice;
use super::printer::Printer;
use crate::config::{LogArgs, NoEffectArgs, ProjectArgs};

/// Deletes the folders that `clean-targets` names, the target folder when it names none.
#[derive(Debug, Args)]
pub struct CleanArgs {
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    no_effect: NoEffectArgs,
    /// Delete folders outside the project too
    #[arg(long = "no-clean-project-files-only", env = "DBT_CLEAN_PROJECT_FILES_ONLY", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetFalse)]
    clean_project_files_only: bool,
    #[arg(long = "clean-project-files-only", hide = true)]
    yes_clean_project_files_only: bool,
}

pub(super) async fn execute(
    args: CleanArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let options = args.project.options();
    let root = fs::canonicalize(&options.project_dir)
        .with_context(|| format!("cannot read {}", options.project_dir.display()))?;
    let targets: Vec<PathBuf> = clean_targets(&options)?
        .iter()
        .map(|target| resolved(&root, Path::new(target)))
        .collect();
    let outside: Vec<String> = targets
        .iter()
        .filter(|target| !target.starts_with(&root) || **target == root)
        .map(|target| format!("'{}'", target.display()))
        .collect();
    if !outside.is_empty() && (args.clean_project_files_only || args.yes_clean_project_files_only) {
        return Err(Advice {
            what: format!(
                "these directories outside the project are not cleaned: [{}]",
                outside.join(", ")
            ),
            hint: "take them out of clean-targets, or add --no-clean-project-files-only".to_owned(),
        }
        .into());
    }
    let say = |text: &str| {
        if !log.quiet {
            printer.line(text);
        }
    };
    for target in &targets {
        say(&format!("Checking {}/*", target.display()));
        if target.is_dir() {
            fs::remove_dir_all(target)
                .with_context(|| format!("cannot delete {}", target.display()))?;
        }
        say(&format!("Cleaned {}/*", target.display()));
    }
    say("Finished cleaning all paths.");
    Ok(ExitCode::SUCCESS)
}

/// `path` from `root`, links followed and `..` taken away, whether it exists or not.
fn resolved(root: &Path, path: &Path) -> PathBuf {
    let joined = root.join(path);
    if let Ok(real) = fs::canonicalize(&joined) {
        return real;
    }
    let mut plain = PathBuf::new();
    for part in joined.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::resolved;

    #[test]
    fn paths_that_are_not_there_are_resolved() {
        let check = |path, expected| {
            let found = resolved(Path::new("/nowhere/project"), Path::new(path));
            assert_eq!(found, Path::new(expected));
        };
        check("target", "/nowhere/project/target");
        check("./a/../../b", "/nowhere/b");
        check("/elsewhere", "/elsewhere");
    }
}
