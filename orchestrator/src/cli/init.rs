//! `ridehail init`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::Advice;
use super::printer::Printer;
use crate::config::LogArgs;

/// Makes a folder with a small project that builds, and a profile that takes its connection from variables.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Name of the project and of its folder: letters, digits and underscores
    name: String,
    /// Write no profiles.yml
    #[arg(short, long)]
    skip_profile_setup: bool,
    /// Profile that the project uses [default: the project's name]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Folder to make the project's folder in [default: here]
    #[arg(long, value_name = "DIR")]
    project_dir: Option<PathBuf>,
}

/// The files of a new project. `NAME` and `PROFILE` are put in.
const FILES: [(&str, &str); 6] = [
    (
        "dbt_project.yml",
        include_str!("../../starter/dbt_project.yml"),
    ),
    (
        "seeds/raw_orders.csv",
        include_str!("../../starter/raw_orders.csv"),
    ),
    (
        "models/stg_orders.sql",
        include_str!("../../starter/stg_orders.sql"),
    ),
    ("models/daily.sql", include_str!("../../starter/daily.sql")),
    (
        "models/models.yml",
        include_str!("../../starter/models.yml"),
    ),
    (".gitignore", "target/\ndbt_packages/\nlogs/\n"),
];

pub(super) async fn execute(
    args: InitArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let name = &args.name;
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.chars().all(letter) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Advice {
            what: format!("'{name}' is not a project name"),
            hint: "use letters, digits and underscores, a letter first".to_owned(),
        }
        .into());
    }
    let folder = args.project_dir.unwrap_or_default().join(name);
    if folder.exists() {
        return Err(Advice {
            what: format!("{} exists already", folder.display()),
            hint: "choose another name, or another place with --project-dir".to_owned(),
        }
        .into());
    }
    let profile = args.profile.as_deref().unwrap_or(name);
    let put_in = |text: &str| text.replace("PROFILE", profile).replace("NAME", name);
    for (path, text) in FILES {
        write(&folder.join(path), &put_in(text))?;
    }
    for path in ["macros", "snapshots", "tests"] {
        write(&folder.join(path).join(".gitkeep"), "")?;
    }
    if !args.skip_profile_setup {
        let text = put_in(include_str!("../../starter/profiles.yml"));
        write(&folder.join("profiles.yml"), &text)?;
    }
    if !log.quiet {
        printer.line(&format!("Your new project \"{name}\" was created!"));
        printer.line(&format!(
            "Its profile reads PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE. Next: cd {} && \
             ridehail debug && ridehail build",
            folder.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let folder = file.parent().map_or(Ok(()), fs::create_dir_all);
    folder
        .and_then(|()| fs::write(file, text))
        .with_context(|| format!("cannot write {}", file.display()))
}
