//! Druid's HTTP API through the router. Thin: one method a call, no decision but what an error is.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::error::Error;
use super::plan::Slots;

/// A router that accepts connections does so at once.
const CONNECT: Duration = Duration::from_secs(3);
/// The overlord asks every task before it answers for a supervisor, so an answer may take a while.
const ANSWER: Duration = Duration::from_secs(30);
/// Longest piece of an error's body to show.
const SHOWN: usize = 400;

/// A connection pool to one router.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    /// The same as people may see it: a password in it is for the server alone.
    url: String,
}

fn shown(url: &str) -> String {
    let Ok(mut parsed) = reqwest::Url::parse(url) else {
        return url.to_owned();
    };
    let _ = parsed
        .set_username("")
        .and_then(|()| parsed.set_password(None));
    parsed.as_str().trim_end_matches('/').to_owned()
}

impl Client {
    /// A client for the router at `url`, e.g. `http://127.0.0.1:15088`. Nothing is sent yet.
    ///
    /// # Errors
    /// The HTTP client could not be built.
    pub fn new(url: &str) -> Result<Self, Error> {
        let base = url.trim_end_matches('/').to_owned();
        let url = shown(&base);
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .no_proxy()
            .build()
            .map_err(|source| Error::Unreachable {
                url: url.clone(),
                source,
            })?;
        Ok(Self { http, base, url })
    }

    /// The router's base URL, without a password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    async fn send(
        &self,
        what: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Option<Value>, Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request
                .header("X-Druid-Author", "ridehail")
                .header("X-Druid-Comment", "applied from a spec file")
                .json(body);
        }
        let unreachable = |source: reqwest::Error| Error::Unreachable {
            url: self.url.clone(),
            source: source.without_url(),
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let text = response.text().await.map_err(unreachable)?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            let message = sentence(&text);
            return Err(match status {
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY => Error::NotReady {
                    url: self.url.clone(),
                    message,
                },
                _ => Error::Refused {
                    what: what.to_owned(),
                    status: status.as_u16(),
                    message,
                },
            });
        }
        if text.trim().is_empty() {
            return Ok(Some(Value::Null));
        }
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|source| Error::Answer {
                what: what.to_owned(),
                detail: source.to_string(),
            })
    }

    /// Sends and treats "not found" as a refusal.
    async fn must(
        &self,
        what: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        self.send(what, method, path, body)
            .await?
            .ok_or_else(|| Error::Refused {
                what: what.to_owned(),
                status: 404,
                message: "not found".to_owned(),
            })
    }

    /// Every supervisor with its state and its spec as Druid echoes it; an empty list is none.
    ///
    /// # Errors
    /// As [`Error`] says; so for every method here.
    pub async fn supervisors(&self) -> Result<Vec<Value>, Error> {
        let what = "list supervisors";
        let answer = self
            .must(what, Method::GET, "/druid/indexer/v1/supervisor?full", None)
            .await?;
        list(what, answer)
    }

    /// The `payload` of a supervisor's status, `None` when there is no such supervisor.
    ///
    /// # Errors
    /// See [`Client::supervisors`].
    pub async fn supervisor_status(&self, id: &str) -> Result<Option<Value>, Error> {
        let path = format!("/druid/indexer/v1/supervisor/{id}/status");
        let answer = self
            .send(&format!("show {id}"), Method::GET, &path, None)
            .await?;
        Ok(answer.map(|mut answer| answer["payload"].take()))
    }

    /// Row counters of a supervisor's running tasks, by task group and task.
    ///
    /// # Errors
    /// See [`Client::supervisors`].
    pub async fn supervisor_stats(&self, id: &str) -> Result<Option<Value>, Error> {
        let path = format!("/druid/indexer/v1/supervisor/{id}/stats");
        self.send(&format!("count the rows of {id}"), Method::GET, &path, None)
            .await
    }

    /// Rows that could not be parsed, the newest few of each running task.
    ///
    /// # Errors
    /// See [`Client::supervisors`].
    pub async fn parse_errors(&self, id: &str) -> Result<Vec<Value>, Error> {
        let path = format!("/druid/indexer/v1/supervisor/{id}/parseErrors");
        let answer = self
            .send(
                &format!("read the errors of {id}"),
                Method::GET,
                &path,
                None,
            )
            .await?;
        Ok(match answer {
            Some(Value::Array(list)) => list,
            _ => Vec::new(),
        })
    }

    /// Creates or replaces a supervisor. Same spec after parsing: its tasks go on.
    ///
    /// # Errors
    /// See [`Client::supervisors`].
    pub async fn post_supervisor(&self, id: &str, spec: &Value) -> Result<(), Error> {
        let path = "/druid/indexer/v1/supervisor?skipRestartIfUnmodified=true";
        self.must(
            &format!("post supervisor {id}"),
            Method::POST,
            path,
            Some(spec),
        )
        .await?;
        Ok(())
    }

    /// `suspend`, `resume` or `terminate`: each lets running tasks publish what they read.
    ///
    /// # Errors
    /// See [`Client::supervisors`].
    pub async fn supervisor_verb(&self, id: &str, verb: &str) -> Result<(), Error> {
        let path = format!("/druid/indexer/v1/supervisor/{id}/{verb}");
        self.must(&format!("{verb} {id}"), Method::POST, &path, None)
            .await?;
        Ok(())
    }

    /// Overwrites the stored offsets of the partitions named and restarts their tasks.
    ///
    /// # Errors
    /// See [`Client::supervisors`].
    pub async fn reset_offsets(
        &self,
        id: &str,
        topic: &str,
        offsets: &[(i32, i64)],
    ) -> Result<(), Error> {
        let map: serde_json::Map<String, Value> = offsets
            .iter()
            .map(|(partition, offset)| (partition.to_string(), Value::from(*offset)))
            .collect();
        let partitions = json!({"type": "end", "stream": topic, "partitionOffsetMap": map});
        let body = json!({"type": "kafka", "partitions": partitions});
        let path = format!("/druid/indexer/v1/supervisor/{id}/resetOffsets");
        self.must(&format!("reset {id}"), Method::POST, &path, Some(&body))
            .await?;
        Ok(())
    }

    /// Retention rules of every datasource that has its own, as an object by datasource.
    ///
    /// # Errors
    /// See [`Client::supervisors`].
    pub async fn rules(&self) -> Result<Value, Error> {
        self.must(
            "list rules",
            Method::GET,
            "/druid/coordinator/v1/rules",
            None,
        )
        .await
    }

    /// Replaces a datasource's retention rules.
    ///
    /// # Errors
    /// See [`Client::supervisors`].
    pub async fn post_rules(&self, datasource: &str, rules: &Value) -> Result<(), Error> {
        let path = format!("/druid/coordinator/v1/rules/{datasource}");
        self.must(
            &format!("set rules of {datasource}"),
            Method::POST,
            &path,
            Some(rules),
        )
        .await?;
        Ok(())
    }

    /// Compaction configs, each with its `dataSource`.
    ///
    /// # Errors
    /// See [`Client::supervisors`].
    pub async fn compaction(&self) -> Result<Vec<Value>, Error> {
        let what = "list compaction";
        let path = "/druid/coordinator/v1/config/compaction";
        let mut answer = self.must(what, Method::GET, path, None).await?;
        list(what, answer["compactionConfigs"].take())
    }

    /// Creates or replaces a datasource's compaction config (`dataSource` is in it).
    ///
    /// # Errors
    /// See [`Client::supervisors`].
    pub async fn post_compaction(&self, datasource: &str, config: &Value) -> Result<(), Error> {
        let path = "/druid/coordinator/v1/config/compaction";
        let what = format!("set compaction of {datasource}");
        self.must(&what, Method::POST, path, Some(config)).await?;
        Ok(())
    }

    /// Ends a datasource's compaction.
    ///
    /// # Errors
    /// See [`Client::supervisors`].
    pub async fn delete_compaction(&self, datasource: &str) -> Result<(), Error> {
        let path = format!("/druid/coordinator/v1/config/compaction/{datasource}");
        self.send(
            &format!("end compaction of {datasource}"),
            Method::DELETE,
            &path,
            None,
        )
        .await?;
        Ok(())
    }

    /// Worker slots; `None` before the first worker is known.
    ///
    /// # Errors
    /// See [`Client::supervisors`].
    pub async fn slots(&self) -> Result<Option<Slots>, Error> {
        let path = "/druid/indexer/v1/totalWorkerCapacity";
        let answer = self
            .send("count worker slots", Method::GET, path, None)
            .await?;
        Ok(answer.and_then(|answer| serde_json::from_value(answer).ok()))
    }

    /// Rows of a SQL query as objects, `None` when a table it names does not exist (yet).
    ///
    /// # Errors
    /// See [`Client::supervisors`].
    pub async fn sql(&self, query: &str) -> Result<Option<Vec<Value>>, Error> {
        let body = json!({"query": query, "context": {"useCache": false}});
        match self
            .must("query", Method::POST, "/druid/v2/sql", Some(&body))
            .await
        {
            Ok(answer) => list("query", answer).map(Some),
            Err(Error::Refused { message, .. }) if message.contains("not found") => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Ids of a datasource's Kafka tasks that read, publish, or wait for a slot to do so.
    ///
    /// A supervisor that was just replaced does not know its tasks yet; this list does.
    ///
    /// # Errors
    /// See [`Client::supervisors`].
    pub async fn tasks(&self, datasource: &str) -> Result<Vec<String>, Error> {
        let query = format!(
            "SELECT task_id FROM sys.tasks WHERE datasource = '{datasource}' \
             AND type = 'index_kafka' AND status = 'RUNNING'"
        );
        let rows = self.sql(&query).await?.unwrap_or_default();
        Ok(rows
            .iter()
            .filter_map(|row| row["task_id"].as_str().map(str::to_owned))
            .collect())
    }

    /// Published segments of a datasource that no server answers for yet, read fresh from the
    /// metadata store; none when it has no segments.
    ///
    /// # Errors
    /// See [`Client::supervisors`].
    pub async fn segments_to_load(&self, datasource: &str) -> Result<u64, Error> {
        let path = format!(
            "/druid/coordinator/v1/datasources/{datasource}/loadstatus\
             ?forceMetadataRefresh=true&simple"
        );
        let what = format!("count the segments of {datasource}");
        let answer = self.send(&what, Method::GET, &path, None).await?;
        Ok(answer
            .and_then(|answer| answer[datasource].as_u64())
            .unwrap_or(0))
    }

    /// Marks a datasource's segments unused: queries no longer see it, deep storage keeps it.
    ///
    /// # Errors
    /// See [`Client::supervisors`].
    pub async fn forget(&self, datasource: &str) -> Result<(), Error> {
        let path = format!("/druid/coordinator/v1/datasources/{datasource}");
        self.send(&format!("forget {datasource}"), Method::DELETE, &path, None)
            .await?;
        Ok(())
    }
}

fn list(what: &str, answer: Value) -> Result<Vec<Value>, Error> {
    match answer {
        Value::Array(list) => Ok(list),
        Value::Null => Ok(Vec::new()),
        other => Err(Error::Answer {
            what: what.to_owned(),
            detail: format!("a list was expected, not {}", sentence(&other.to_string())),
        }),
    }
}

/// The sentence in an error's body: Druid has three shapes for it.
fn sentence(body: &str) -> String {
    let value: Option<Value> = serde_json::from_str(body).ok();
    let text = value
        .as_ref()
        .and_then(|value| {
            ["errorMessage", "error", "message"]
                .iter()
                .find_map(|key| value.get(key)?.as_str())
        })
        .unwrap_or(body);
    text.trim().chars().take(SHOWN).collect()
}
