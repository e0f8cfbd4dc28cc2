//! Asks the systems for their figures. Every answer is text, so that no figure is rounded.

use std::collections::BTreeMap;

use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row as _, ValueRef as _};

use lake::trino::Trino;

use super::checks::{Check, Source, look_up};
use super::verdict::{Figure, Outcome};

/// Where to ask.
pub struct Systems {
    /// The generator's truth file, parsed.
    pub truth: serde_json::Value,
    /// The database that holds landing and warehouse.
    pub postgres: PgPool,
    /// The brokers, comma separated.
    pub kafka_brokers: String,
    /// What stands before each topic's name.
    pub topic_prefix: String,
    /// Druid's router.
    pub druid_url: String,
    /// `{{ name }}` in statements and in the days of truth figures.
    pub variables: BTreeMap<String, String>,
    /// Client for Druid.
    pub http: reqwest::Client,
    /// Who reads across tiers; without it, nothing has left Postgres.
    pub trino: Option<Trino>,
    /// `schema.name` of tables of which days have left Postgres -> the view over all of their tiers.
    pub archived: BTreeMap<String, String>,
}

/// Tables of which days have left Postgres, with Trino's view of each.
///
/// # Errors
/// What Postgres says.
pub async fn archived(postgres: &PgPool) -> Result<BTreeMap<String, String>, sqlx::Error> {
    let there: bool = sqlx::query_scalar("select to_regclass('lake.tables') is not null")
        .fetch_one(postgres)
        .await?;
    if !there {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select table_schema || '.' || table_name, view_name from lake.tables
         where visible_boundary > '-infinity'",
    )
    .fetch_all(postgres)
    .await?;
    Ok(rows.into_iter().collect())
}

impl Systems {
    /// Takes every figure of every check, one after the other: the systems are busy enough.
    pub async fn take(&self, checks: &[Check]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(checks.len());
        for check in checks {
            outcomes.push(self.one(check).await);
        }
        outcomes
    }

    /// Takes the figures of one check.
    pub async fn one(&self, check: &Check) -> Outcome {
        let mut figures = Vec::new();
        for labelled in check.figures() {
            let value = self.figure(&labelled.source).await;
            figures.push(Figure {
                label: labelled.label,
                value,
            });
        }
        Outcome {
            group: check.group.clone(),
            name: check.name.clone(),
            figures,
        }
    }

    async fn figure(&self, source: &Source) -> Result<String, String> {
        match source {
            Source::Truth(truth) => look_up(&self.truth, &truth.fill(|text| self.fill(text))?),
            Source::Kafka(topic) => self.kafka(topic).await,
            Source::Postgres(sql) => self.postgres(&self.fill(sql)?).await,
            Source::Druid(sql) => self.druid(&self.fill(sql)?).await,
            Source::Trino(sql) => self.trino(&self.fill(sql)?).await,
            Source::Everywhere(sql) => self.everywhere(sql).await,
        }
    }

    fn fill(&self, text: &str) -> Result<String, String> {
        fill(text, &self.variables)
    }

    async fn kafka(&self, topic: &str) -> Result<String, String> {
        let (brokers, topic) = (
            self.kafka_brokers.clone(),
            format!("{}{topic}", self.topic_prefix),
        );
        // librdkafka's metadata calls block
        tokio::task::spawn_blocking(move || streaming::offsets::records_held(&brokers, &topic))
            .await
            .map_err(|error| error.to_string())?
            .map(|records| records.to_string())
            .map_err(|error| error.to_string())
    }

    async fn postgres(&self, sql: &str) -> Result<String, String> {
        // the simple protocol answers in text: bigint, numeric and all
        let row = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&self.postgres)
            .await
            .map_err(|error| error.to_string())?;
        let value = row.try_get_raw(0).map_err(|error| error.to_string())?;
        if value.is_null() {
            return Err("the statement returned NULL".to_owned());
        }
        value
            .as_str()
            .map(str::to_owned)
            .map_err(|error| error.to_string())
    }

    async fn everywhere(&self, sql: &str) -> Result<String, String> {
        let schema = self
            .variables
            .get("schema")
            .map_or("public", String::as_str);
        // `schema.x` is in the models' schema, whatever that is called here
        let named = |name: &str| match name.strip_prefix("schema.") {
            Some(rest) => format!("{schema}.{rest}"),
            None => name.to_owned(),
        };
        if self.archived.is_empty() {
            return self.postgres(&self.fill(&relations(sql, named)?)?).await;
        }
        let sql = relations(sql, |name| {
            let name = named(name);
            match self.archived.get(&name) {
                Some(view) => format!("lake.history.\"{view}\""),
                None => format!("warehouse.{name}"),
            }
        })?;
        self.trino(&self.fill(&sql)?).await
    }

    async fn trino(&self, sql: &str) -> Result<String, String> {
        let trino = self
            .trino
            .as_ref()
            .ok_or("there is no Trino to read the lake")?;
        trino.text(sql).await.map_err(|error| error.to_string())
    }

    async fn druid(&self, sql: &str) -> Result<String, String> {
        let url = format!("{}/druid/v2/sql", self.druid_url.trim_end_matches('/'));
        let body = serde_json::json!({"query": sql, "resultFormat": "array"});
        let response = self
            .http
            .post(url)
            .json(&body)
            .send()
            .await
            .map_err(|error| error.to_string())?;
        let status = response.status();
        let text = response.text().await.map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(format!("Druid answered {status}: {}", text.trim()));
        }
        let rows: Vec<Vec<serde_json::Value>> =
            serde_json::from_str(&text).map_err(|error| error.to_string())?;
        match rows.first().and_then(|row| row.first()) {
            Some(serde_json::Value::Number(number)) => Ok(number.to_string()),
            Some(other) => Err(format!("Druid answered {other}, not a number")),
            None => Err("Druid answered no row".to_owned()),
        }
    }
}

/// Replaces `{{ all:schema.name }}` by what `place` makes of it.
///
/// # Errors
/// One that is not closed.
fn relations(sql: &str, place: impl Fn(&str) -> String) -> Result<String, String> {
    const OPEN: &str = "{{ all:";
    let mut placed = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let (name, after) = after.split_once("}}").ok_or("'{{ all:' without '}}'")?;
        placed.push_str(before);
        placed.push_str(&place(name.trim()));
        rest = after;
    }
    placed.push_str(rest);
    Ok(placed)
}

/// Replaces `{{ name }}`.
///
/// # Errors
/// The name that is unknown, with those that exist.
pub(crate) fn fill(text: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("'{{' without '}}'")?;
        let name = name.trim();
        let value = variables.get(name).ok_or_else(|| {
            let known: Vec<&str> = variables.keys().map(String::as_str).collect();
            format!("unknown variable '{name}'; known are {}", known.join(", "))
        })?;
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_are_where_they_are() {
        let sql = "select (select count(*) from {{ all:raw.x }}) + (select 1 from {{ all:raw.y }})";
        let placed = relations(sql, |name| format!("<{name}>")).unwrap();
        assert_eq!(
            placed,
            "select (select count(*) from <raw.x>) + (select 1 from <raw.y>)"
        );
        assert!(relations("from {{ all:raw.x", str::to_owned).is_err());
    }

    #[test]
    fn fills_variables_and_names_the_unknown() {
        let variables = BTreeMap::from([("schema".to_owned(), "analytics".to_owned())]);
        assert_eq!(
            fill("from {{ schema }}.x", &variables).unwrap(),
            "from analytics.x"
        );
        let error = fill("{{shema}}", &variables).unwrap_err();
        assert_eq!(error, "unknown variable 'shema'; known are schema");
    }
}
