//! Asks the systems for their figures. Every answer is text, so that no figure is rounded.

use std::collections::BTreeMap;

use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row as _, ValueRef as _};

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
