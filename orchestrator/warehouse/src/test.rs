//! Data tests: a query of failing rows, wrapped so that the server counts and judges them.

use project::Node;
use project::manifest::NodeConfig;
use project::relation::RelationKind;

use crate::catalog::{Found, lookup, noun, read_found};
use crate::error::Error;
use crate::materialize::node::Work;
use crate::materialize::{create_table, create_view};
use crate::outcome::{Outcome, OutcomeKind};
use crate::value::{required, text};

/// Runs a test. A test with a relation of its own keeps its failing rows there first.
pub(crate) async fn run(work: &mut Work<'_>) -> Result<Outcome, Error> {
    let config = &work.node.config;
    let limited = limited(&work.compiled.sql, config.limit);
    let main = match kept_as(work.node)? {
        Some((target, kind)) => {
            keep(work, target, kind, &limited).await?;
            format!("\n        select *\n        from {target}\n    ")
        }
        None => limited,
    };
    let run_sql = wrapper(&main, config);
    let rows = work.main(&run_sql).await?.rows;
    let [row] = rows.as_slice() else {
        return Err(Error::Answer {
            message: format!("a test returned {} rows instead of one", rows.len()),
        });
    };
    let failures = failures(&required(row, 0)?)?;
    let yes = |index| Ok::<_, Error>(text(row, index)?.is_some_and(|t| is_true(&t)));
    Ok(judge(config, failures, yes(1)?, yes(2)?, run_sql))
}

fn kept_as(node: &Node) -> Result<Option<(&project::relation::RelationName, RelationKind)>, Error> {
    if node.config.store_failures == Some(false) {
        return Ok(None);
    }
    let Some(relation) = &node.relation_name else {
        return Ok(None);
    };
    match node
        .config
        .raw
        .get("store_failures_as")
        .and_then(|v| v.as_str())
    {
        None | Some("table") => Ok(Some((relation, RelationKind::Table))),
        Some("view") => Ok(Some((relation, RelationKind::View))),
        Some("ephemeral") => Ok(None),
        Some(other) => Err(Error::Compilation {
            message: format!(
                "'{other}' is not a valid value for `store_failures_as`. \
                 Accepted values are: ['ephemeral', 'table', 'view']"
            ),
        }),
    }
}

/// Drops what kept the failing rows of the last run and keeps those of this one, in one
/// transaction.
async fn keep(
    work: &mut Work<'_>,
    target: &project::relation::RelationName,
    kind: RelationKind,
    sql: &str,
) -> Result<(), Error> {
    work.begin(&[]).await?;
    let rows = work.lease.run(&lookup(&[target])).await?.rows;
    if let Some(old) = read_found(&rows)?.get(&target.identifier) {
        work.lease
            .run(&format!("drop {} if exists {target} cascade", old.noun()))
            .await?;
    }
    let create = match kind {
        RelationKind::View => create_view(target, sql, &work.node.config),
        RelationKind::Table | RelationKind::MaterializedView => {
            create_table(target, sql, &work.node.config)
        }
    };
    debug_assert_ne!(noun(kind), "materialized view", "no test is kept as one");
    work.main(&create).await?;
    work.commit("").await?;
    work.catalog.note(
        target,
        Some(Found {
            kind,
            partitioned: false,
        }),
    );
    Ok(())
}

/// As the macros that dbt makes it of leave it: the server counts lines.
fn limited(sql: &str, limit: Option<u64>) -> String {
    match limit {
        Some(limit) => format!("\n    \n  {sql}\n  \n  limit {limit}\n  "),
        None => format!("\n    \n  {sql}\n  \n  "),
    }
}

/// The text is interface: dbt writes the same to `target/run`.
fn wrapper(main: &str, config: &NodeConfig) -> String {
    let calc = or(&config.fail_calc, "count(*)");
    let warn = or(&config.warn_if, "!= 0");
    let error = or(&config.error_if, "!= 0");
    format!(
        "\n    \n    select\n      {calc} as failures,\n      {calc} {warn} as should_warn,\n      \
         {calc} {error} as should_error\n    from (\n      {main}\n      \n    ) dbt_internal_test"
    )
}

fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}

fn is_true(text: &str) -> bool {
    matches!(text, "t" | "1" | "true")
}

/// `fail_calc` may be any aggregate; dbt counts in whole numbers.
fn failures(text: &str) -> Result<i64, Error> {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    whole.parse().map_err(|_| Error::Answer {
        message: format!("fail_calc returned {text}, which is not a number"),
    })
}

/// What a test that found `failures` is, by its severity.
#[must_use]
pub fn judge(
    config: &NodeConfig,
    failures: i64,
    should_warn: bool,
    should_error: bool,
    run_sql: String,
) -> Outcome {
    let explain = |verb: &str, limit: &str| {
        let plural = if failures == 1 { "" } else { "s" };
        Some(format!(
            "Got {failures} result{plural}, configured to {verb} if {limit}"
        ))
    };
    let severe = !config.severity.eq_ignore_ascii_case("warn");
    let (kind, message, explanation) = if severe && should_error {
        let why = explain("fail", or(&config.error_if, "!= 0"));
        (OutcomeKind::Fail, format!("FAIL {failures}"), why)
    } else if should_warn {
        let why = explain("warn", or(&config.warn_if, "!= 0"));
        (OutcomeKind::Warn, format!("WARN {failures}"), why)
    } else {
        (OutcomeKind::Pass, "PASS".to_owned(), None)
    };
    // dbt records no failures for a test that passes
    let failures = if kind == OutcomeKind::Pass {
        0
    } else {
        failures
    };
    Outcome {
        kind,
        message,
        rows: None,
        failures: Some(failures),
        explanation,
        run_sql,
        response: None,
        doubts: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> NodeConfig {
        NodeConfig {
            severity: "ERROR".into(),
            warn_if: "!= 0".into(),
            error_if: "> 3".into(),
            fail_calc: "count(*)".into(),
            ..NodeConfig::default()
        }
    }

    #[test]
    fn wrapper_text() {
        let text = wrapper(&limited("select 1", Some(10)), &config());
        let lines: Vec<&str> = text.lines().collect();
        let expected = [
            "",
            "    ",
            "    select",
            "      count(*) as failures,",
            "      count(*) != 0 as should_warn,",
            "      count(*) > 3 as should_error",
            "    from (",
            "      ",
            "    ",
            "  select 1",
            "  ",
            "  limit 10",
            "  ",
            "      ",
            "    ) dbt_internal_test",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn thresholds() {
        let check = |config: &NodeConfig, failures, warn, error| {
            let outcome = judge(config, failures, warn, error, String::new());
            format!(
                "{} | {}",
                outcome.message,
                outcome.explanation.unwrap_or_default()
            )
        };
        let mut config = config();
        assert_eq!(check(&config, 0, false, false), "PASS | ");
        assert_eq!(
            check(&config, 1, true, false),
            "WARN 1 | Got 1 result, configured to warn if != 0"
        );
        assert_eq!(
            check(&config, 5, true, true),
            "FAIL 5 | Got 5 results, configured to fail if > 3"
        );
        config.severity = "warn".into();
        assert_eq!(
            check(&config, 5, true, true),
            "WARN 5 | Got 5 results, configured to warn if != 0"
        );
    }
}
