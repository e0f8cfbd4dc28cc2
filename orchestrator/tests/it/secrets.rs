//! The values of `DBT_ENV_SECRET…` are told nowhere: not on the console, not in logs, not in the run store.

use crate::bed::Bed;

#[test]
fn a_schema_that_is_a_secret_is_told_nowhere() {
    const SECRET: &str = "hush_hush";
    let bed = Bed::new();
    let profiles = bed.read("profiles.yml");
    let profiles = profiles.replace(
        "schema: shop",
        "schema: \"{{ env_var('DBT_ENV_SECRET_S') }}\"",
    );
    bed.write("profiles.yml", &profiles);
    bed.write(
        "models/broken.sql",
        "select * from {{ this.schema }}.nowhere",
    );
    for format in ["text", "json"] {
        let build = [
            "build",
            "-s",
            "+daily",
            "broken",
            "--debug",
            "--log-format",
            format,
        ];
        let output = bed
            .command(&build)
            .env("DBT_ENV_SECRET_S", SECRET)
            .output()
            .unwrap();
        let told = bed.transcript(&build, &output);
        assert!(told.contains("exit code Some(1)"), "{told}");
        assert!(told.contains("*****.daily"), "{told}");
        assert!(!told.contains(SECRET), "{told}");
    }
    let made = format!("select string_agg(relname, ' ') from pg_class where relnamespace = '{SECRET}'::regnamespace
                         and relname = 'daily'");
    assert_eq!(bed.ask(&made).as_deref(), Some("daily"));
    let log = bed.read("logs/dbt.log");
    assert!(
        log.contains("*****.nowhere") && !log.contains(SECRET),
        "{log}"
    );
    let results: serde_json::Value =
        serde_json::from_str(&bed.read("target/run_results.json")).unwrap();
    for result in results["results"].as_array().unwrap() {
        assert!(!result["message"].to_string().contains(SECRET), "{result}");
    }
    for table in ["runs", "node_runs", "events", "graphs"] {
        let held = format!(
            "select count(*)::text from ridehail.{table} t where t::text like '%{SECRET}%'"
        );
        assert_eq!(bed.ask(&held).as_deref(), Some("0"), "{table}");
    }
    // what cannot be carried out is told the same way
    let select = ["build", "-s", SECRET, "--selector", SECRET];
    let output = bed
        .command(&select)
        .env("DBT_ENV_SECRET_S", SECRET)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("*****") && !told.contains(SECRET), "{told}");
}
