//! dbt's variables of flags. Each has a second name, `DBT_ENGINE_…`, which goes first; some have an older one, which
//! goes before both; and one that is empty is as good as none.

use std::ffi::OsStr;

use clap::builder::{OsStr as Name, Resettable};
use clap::{Arg, Command};

/// Older names of variables.
const OLDER: [(&str, &str); 3] = [
    ("DBT_DEFER", "DBT_DEFER_TO_STATE"),
    ("DBT_FAVOR_STATE", "DBT_FAVOR_STATE_MODE"),
    ("DBT_STATE", "DBT_ARTIFACT_STATE_PATH"),
];

/// `command`, its verbs included, whose options read the variable that counts.
#[must_use]
pub fn with_variables(command: Command) -> Command {
    command.mut_args(read_again).mut_subcommands(with_variables)
}

fn read_again(arg: Arg) -> Arg {
    let known = arg.get_env().and_then(OsStr::to_str);
    let Some(known) = known.filter(|name| name.starts_with("DBT_")) else {
        return arg;
    };
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match names(known).into_iter().find(|name| set(name)) {
        Some(name) if name == known => arg,
        // clap keeps names for as long as the program runs, so this is where they stay
        Some(name) => arg.env(Name::from(&*name.leak())),
        None => arg.env(Resettable::<Name>::Reset),
    }
}

/// The names of variable `name`, the one that counts first.
fn names(name: &str) -> Vec<String> {
    let older = OLDER.iter().find(|(now, _)| *now == name);
    let engine = name.replacen("DBT_", "DBT_ENGINE_", 1);
    older
        .map(|(_, older)| (*older).to_owned())
        .into_iter()
        .chain([engine, name.to_owned()])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn the_oldest_name_counts_most() {
        assert_eq!(
            names("DBT_DEFER"),
            ["DBT_DEFER_TO_STATE", "DBT_ENGINE_DEFER", "DBT_DEFER"]
        );
        assert_eq!(names("DBT_QUIET"), ["DBT_ENGINE_QUIET", "DBT_QUIET"]);
    }
}
