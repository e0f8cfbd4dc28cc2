//! Sending statements and fetching pages.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde_json::Value;

use super::{Column, Error, Page};

/// Where Trino is and who asks.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Trino")]
pub struct TrinoArgs {
    /// Address of Trino, e.g. http://127.0.0.1:15065 [default: none, which is to go on without it]
    #[arg(long, value_name = "URL", env = "RIDEHAIL_TRINO_URL")]
    pub trino_url: Option<String>,
    /// Name to ask under. Trino believes it: there is no password
    #[arg(
        long,
        value_name = "NAME",
        env = "RIDEHAIL_TRINO_USER",
        default_value = "ridehail"
    )]
    pub trino_user: String,
}

impl TrinoArgs {
    /// A client, if an address is set.
    #[must_use]
    pub fn client(&self) -> Option<Trino> {
        let url = self.trino_url.as_deref().filter(|url| !url.is_empty())?;
        Some(Trino::new(url, &self.trino_user))
    }
}

/// What `X-Trino-Source` says unless told otherwise.
const SOURCE: &str = "ridehail";
/// How often a page is asked for while Trino does not answer, and how long to wait between.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(500);

/// A client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Trino {
    http: Client,
    url: String,
    user: String,
    source: String,
    /// Catalog and schema of names that have none.
    place: (Option<String>, Option<String>),
}

/// A statement under way.
#[derive(Debug)]
pub struct Query {
    trino: Trino,
    /// Trino's name of it.
    pub id: String,
    next: Option<String>,
    columns: Vec<Column>,
    first: Option<Page>,
}

impl Trino {
    /// A client of the server at `url`, asking as `user`. Connects nothing yet.
    #[must_use]
    pub fn new(url: &str, user: &str) -> Self {
        Self {
            // an idle connection that Trino has closed is found out by using it: keep none for long
            http: Client::builder()
                .pool_idle_timeout(Duration::from_secs(5))
                .connect_timeout(Duration::from_secs(5))
                .timeout(Duration::from_secs(60))
                .build()
                .unwrap_or_default(),
            url: url.trim_end_matches('/').to_owned(),
            user: user.to_owned(),
            source: SOURCE.to_owned(),
            place: (None, None),
        }
    }

    /// The same client; names without catalog or schema mean these.
    #[must_use]
    pub fn within(self, catalog: Option<&str>, schema: Option<&str>) -> Self {
        let owned = |name: Option<&str>| name.map(str::to_owned);
        Self {
            place: (owned(catalog), owned(schema)),
            ..self
        }
    }

    /// The same client under another `X-Trino-Source`, which is how Trino tells its statements from others.
    #[must_use]
    pub fn named(self, source: &str) -> Self {
        let source = source.to_owned();
        Self { source, ..self }
    }

    /// Where it is, as people may see it: a password in an address is for the server alone.
    #[must_use]
    pub fn url(&self) -> String {
        let Ok(mut url) = reqwest::Url::parse(&self.url) else {
            return "an address that is none".to_owned();
        };
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        url.as_str().trim_end_matches('/').to_owned()
    }

    /// Sends a statement.
    ///
    /// # Errors
    /// Trino is out of reach, or refuses the request. A failing statement is told by [`Query::page`].
    pub async fn start(&self, sql: &str) -> Result<Query, Error> {
        let mut request = self.http.post(format!("{}/v1/statement", self.url));
        let (catalog, schema) = &self.place;
        for (name, value) in [("X-Trino-Catalog", catalog), ("X-Trino-Schema", schema)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let response = request
            .header("X-Trino-User", &self.user)
            .header("X-Trino-Source", &self.source)
            .header("X-Trino-Time-Zone", "UTC")
            .header("X-Trino-Client-Capabilities", "PARAMETRIC_DATETIME")
            .body(sql.to_owned())
            .send()
            .await
            .map_err(|source| self.unreachable(source))?;
        let page = self.read(response).await?;
        Ok(Query {
            trino: self.clone(),
            id: page.id.clone(),
            next: page.next_uri.clone(),
            columns: page.columns.clone().unwrap_or_default(),
            first: Some(page),
        })
    }

    /// Runs a statement to its end and returns all of its rows.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn rows(&self, sql: &str) -> Result<Vec<Vec<Value>>, Error> {
        let mut query = self.start(sql).await?;
        let mut rows = Vec::new();
        while let Some(page) = query.page().await? {
            rows.extend(page.data);
        }
        Ok(rows)
    }

    /// Runs a statement that gives back one value, and reads it as text.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn text(&self, sql: &str) -> Result<String, Error> {
        let rows = self.rows(sql).await?;
        match rows.first().and_then(|row| row.first()) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Ok(other.to_string()),
            None => Err(Error::Answer {
                what: sql.to_owned(),
                message: "no row".to_owned(),
            }),
        }
    }

    /// Makes a schema unless it is there.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn make_schema(&self, name: &str) -> Result<(), Error> {
        let sql = format!("CREATE SCHEMA IF NOT EXISTS {name}");
        let done = match self.rows(&sql).await {
            // Of two that make it at once one fails: `IF NOT EXISTS` looks before it makes. Now it is there.
            Err(Error::Failed(_)) => self.rows(&sql).await,
            done => done,
        };
        done.map(|_| ())
    }

    /// Whether the server has started and takes statements.
    ///
    /// # Errors
    /// It is out of reach.
    pub async fn is_ready(&self) -> Result<bool, Error> {
        let response = self
            .http
            .get(format!("{}/v1/info", self.url))
            .send()
            .await
            .map_err(|source| self.unreachable(source))?;
        let info: Value = response
            .json()
            .await
            .map_err(|source| self.unreachable(source))?;
        Ok(info.get("starting") == Some(&Value::Bool(false)))
    }

    fn unreachable(&self, source: reqwest::Error) -> Error {
        let (url, source) = (self.url(), source.without_url());
        if source.is_builder() {
            return Error::Address { url, source };
        }
        Error::Unreachable { url, source }
    }

    async fn read(&self, response: Response) -> Result<Page, Error> {
        let status = response.status();
        let body = response
            .text()
            .await
            .map_err(|source| self.unreachable(source))?;
        let refused = |words: &str| Error::Refused {
            url: self.url(),
            status: status.as_u16(),
            body: words.chars().take(300).collect(),
        };
        if status != StatusCode::OK {
            return Err(refused(&body));
        }
        serde_json::from_str(&body).map_err(|error| refused(&format!("{error}")))
    }

    /// Asks for a page until there is an answer: asking again is harmless.
    async fn fetch(&self, uri: &str) -> Result<Page, Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            let asked = self
                .http
                .get(uri)
                .header("X-Trino-User", &self.user)
                .send()
                .await;
            match asked {
                // Trino's words for "ask again"
                Ok(response)
                    if tries < TRIES
                        && matches!(response.status().as_u16(), 429 | 502 | 503 | 504) => {}
                // an answer that breaks off is none
                Ok(response) => match self.read(response).await {
                    Err(Error::Unreachable { source, .. }) if tries < TRIES => {
                        tracing::debug!(error = %source, "trino's answer broke off, asking again");
                    }
                    read => return read,
                },
                Err(error) if tries < TRIES => {
                    tracing::debug!(%error, "trino did not answer, asking again");
                }
                Err(error) => return Err(self.unreachable(error)),
            }
            tokio::time::sleep(PAUSE * tries).await;
        }
    }
}

impl Query {
    /// The next page; `None` after the last.
    ///
    /// # Errors
    /// See [`Error`]; the statement may then still run.
    pub async fn page(&mut self) -> Result<Option<Page>, Error> {
        let page = match (self.first.take(), &self.next) {
            (Some(first), _) => first,
            (None, Some(next)) => self.trino.fetch(next).await?,
            (None, None) => return Ok(None),
        };
        self.next = page.next_uri.clone();
        if let Some(columns) = &page.columns {
            self.columns.clone_from(columns);
        }
        match page.error {
            Some(failure) => Err(Error::Failed(Box::new(failure))),
            None => Ok(Some(page)),
        }
    }

    /// Columns, empty until they are known.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Asks Trino to stop it.
    ///
    /// # Errors
    /// Trino is out of reach; it gives up by itself after five minutes without a reader.
    pub async fn cancel(self) -> Result<(), Error> {
        let Some(next) = self.next else { return Ok(()) };
        self.trino
            .http
            .delete(next)
            .header("X-Trino-User", &self.trino.user)
            .send()
            .await
            .map_err(|source| self.trino.unreachable(source))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Trino;

    #[tokio::test]
    async fn errors_name_the_server_without_its_password() {
        let trino = Trino::new("http://someone:secret@127.0.0.1:1/", "ridehail");
        let error = trino.start("select 1").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot reach Trino at http://127.0.0.1:1"
        );
    }
}
