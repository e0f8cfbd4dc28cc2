//! Options that dbt takes before the verb too: `dbt --warn-error build`.
//!
//! Here they belong to verbs, so they are put behind the verb; a verb that does not know one does nothing about it, as
//! with dbt.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

/// What `dbt --help` lists of options that are not everybody's here.
const MOVED: [&str; 13] = [
    "defer",
    "no-defer",
    "defer-state",
    "fail-fast",
    "no-fail-fast",
    "favor-state",
    "no-favor-state",
    "indirect-selection",
    "profile",
    "state",
    "target",
    "warn-error",
    "warn-error-options",
];

/// `arguments`, the program's name first, as `command` takes them.
#[must_use]
pub fn moved(command: &Command, arguments: Vec<OsString>) -> Vec<OsString> {
    // this verb knows them all
    let Some(known) = command.find_subcommand("build") else {
        return arguments;
    };
    let mut rest = arguments.into_iter().peekable();
    let mut kept: Vec<OsString> = rest.next().into_iter().collect();
    let mut moved: Vec<(String, Vec<OsString>)> = Vec::new();
    while let Some(word) = rest.next_if(|word| word.to_string_lossy().starts_with('-')) {
        let text = word.to_string_lossy().into_owned();
        let own = find(command, &text);
        let found = own.or_else(|| find(known, &text));
        let mut words = vec![word];
        if found.is_some_and(takes_value) && !text.contains('=') {
            words.extend(rest.next());
        }
        let name = found.and_then(Arg::get_long).unwrap_or_default();
        if own.is_none() && MOVED.contains(&name) {
            moved.push((name.to_owned(), words));
        } else {
            kept.extend(words);
        }
    }
    let mut verb = command;
    while let Some(next) = rest.peek().and_then(|word| verb.find_subcommand(word)) {
        verb = next;
        kept.extend(rest.next());
    }
    let rest: Vec<OsString> = rest.collect();
    // what stands behind the verb is the stronger
    let is_given = |name: &str| {
        rest.iter().any(|word| {
            find(verb, &word.to_string_lossy()).is_some_and(|arg| arg.get_long() == Some(name))
        })
    };
    for (name, words) in moved {
        let is_known = verb.get_arguments().any(|arg| answers_to(arg, &name));
        if is_known && !is_given(&name) {
            kept.extend(words);
        }
    }
    kept.extend(rest);
    kept
}

fn answers_to(arg: &Arg, name: &str) -> bool {
    let aliases = arg.get_all_aliases().unwrap_or_default();
    arg.get_long() == Some(name) || aliases.contains(&name)
}

/// The option that `word` is.
fn find<'c>(command: &'c Command, word: &str) -> Option<&'c Arg> {
    let mut all = command.get_arguments();
    if let Some(long) = word.strip_prefix("--") {
        let long = long.split('=').next().unwrap_or_default();
        return all.find(|arg| answers_to(arg, long));
    }
    let mut short = word.strip_prefix('-')?.chars();
    match (short.next(), short.next()) {
        (Some(letter), None) => all.find(|arg| arg.get_short() == Some(letter)),
        _ => None,
    }
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{MOVED, moved};
    use crate::cli::Cli;

    fn check(given: &str, expected: &str) {
        let command = Cli::command();
        let given = given.split(' ').map(Into::into).collect();
        let done: Vec<_> = moved(&command, given)
            .into_iter()
            .map(|word| word.into_string().unwrap())
            .collect();
        assert_eq!(done.join(" "), expected);
    }

    #[test]
    fn options_before_the_verb_go_behind_it() {
        check("r --warn-error build -s a", "r build --warn-error -s a");
        check("r -t dev --quiet run", "r --quiet run -t dev");
        check("r --target=dev ls", "r ls --target=dev");
        check(
            "r --state x source freshness --vars {}",
            "r source freshness --state x --vars {}",
        );
        check(
            "r --log-path logs -x docs generate",
            "r --log-path logs docs generate -x",
        );
        check("r --target one build --target two", "r build --target two");
        check("r --select a build", "r --select a build");
        check("r --fail-fast clean", "r clean --fail-fast");
        check("r --defer init", "r init");
    }

    #[test]
    fn every_one_is_an_option_of_build() {
        let command = Cli::command();
        let build = command.find_subcommand("build").unwrap();
        for name in MOVED {
            assert!(
                build
                    .get_arguments()
                    .any(|arg| super::answers_to(arg, name)),
                "{name}"
            );
        }
    }
}
