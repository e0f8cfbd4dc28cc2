//! A topic, a datasource and a folder of specs of one test's own on the running servers.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser as _;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};
use streaming::druid::{Client, DruidArgs, Error, Outcome, run};
use tokio_util::sync::CancellationToken;

/// The only supervisor of the test.
pub(crate) const NAME: &str = "ride_events";

#[derive(Debug, clap::Parser)]
struct Cli {
    #[command(flatten)]
    args: DruidArgs,
}

pub(crate) struct Bed {
    pub(crate) prefix: String,
    specs: tempfile::TempDir,
    pub(crate) client: Client,
    brokers: String,
    admin: AdminClient<DefaultClientContext>,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let specs = tempfile::tempdir().unwrap();
        let file = format!("{NAME}.json");
        let from = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("druid-specs")
            .join(&file);
        let mut spec: Value =
            serde_json::from_str(&std::fs::read_to_string(from).unwrap()).unwrap();
        // a compaction that ends while a task begins hides what the task reads (docker/README.md); whole days are
        // read again here, so no day may be compacted
        spec["compaction"]["skipOffsetFromLatest"] = json!("P90D");
        std::fs::write(specs.path().join(&file), spec.to_string()).unwrap();
        let options = Cli::parse_from(["druid", "status"]).args.options;
        let brokers = options.brokers.clone();
        let admin = ClientConfig::new()
            .set("bootstrap.servers", &brokers)
            .create()
            .unwrap();
        let id = uuid::Uuid::new_v4().simple().to_string();
        Self {
            prefix: format!("dt{}_", &id[..6]),
            specs,
            client: Client::new(&options.druid_url).unwrap(),
            brokers,
            admin,
        }
    }

    pub(crate) fn topic(&self) -> String {
        format!("{}{NAME}", self.prefix)
    }

    /// Runs a verb; its outcome and what it printed, the test's prefix taken out.
    pub(crate) async fn verb(&self, words: &[&str]) -> (Result<Outcome, Error>, String) {
        let specs = self.specs.path().to_str().unwrap();
        let mut line = vec!["druid", "--specs", specs];
        line.extend([
            "--topic-prefix",
            &self.prefix,
            "--datasource-prefix",
            &self.prefix,
        ]);
        line.extend(words);
        let args = Cli::parse_from(line).args;
        let mut out = Vec::new();
        let outcome = run(&args, &CancellationToken::new(), &mut out).await;
        (
            outcome,
            String::from_utf8(out).unwrap().replace(&self.prefix, "t_"),
        )
    }

    /// Runs a verb that must end well; what it printed.
    pub(crate) async fn good(&self, words: &[&str]) -> String {
        let (outcome, text) = self.verb(words).await;
        assert_eq!(outcome.unwrap(), Outcome::Good, "{words:?}: {text}");
        text
    }

    /// Runs a verb that must end badly without an error; what it printed.
    pub(crate) async fn bad(&self, words: &[&str]) -> String {
        let (outcome, text) = self.verb(words).await;
        assert_eq!(outcome.unwrap(), Outcome::Bad, "{words:?}: {text}");
        text
    }

    /// Runs a verb that prints JSON.
    pub(crate) async fn json(&self, words: &[&str]) -> Value {
        let mut line = vec!["--output", "json"];
        line.extend(words);
        serde_json::from_str(&self.verb(&line).await.1).unwrap()
    }

    /// Changes the spec file.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut Value)) {
        let path = self.specs.path().join(format!("{NAME}.json"));
        let mut file: Value =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        change(&mut file);
        std::fs::write(path, file.to_string()).unwrap();
    }

    pub(crate) fn remove_file(&self) {
        std::fs::remove_file(self.specs.path().join(format!("{NAME}.json"))).unwrap();
    }

    /// Ids of the tasks that read.
    pub(crate) async fn tasks(&self) -> Vec<String> {
        let payload = self
            .client
            .supervisor_status(&self.topic())
            .await
            .unwrap()
            .unwrap();
        let tasks = payload["activeTasks"].as_array().unwrap();
        tasks
            .iter()
            .map(|task| task["id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Rows of a query in which `{}` stands for the datasource.
    pub(crate) async fn sql(&self, query: &str) -> Vec<Value> {
        let query = query.replace("{}", &format!("\"{}\"", self.topic()));
        self.client.sql(&query).await.unwrap().unwrap_or_default()
    }

    /// What Druid knows of the datasource, for a failure that nobody can look at later.
    pub(crate) async fn told(&self) -> String {
        use std::fmt::Write as _;
        let of = format!("datasource = '{}'", self.topic());
        let queries = [
            "SELECT ride_id, COUNT(*) AS n FROM {} GROUP BY 1".to_owned(),
            format!(
                "SELECT segment_id, num_rows, is_published, is_available, is_realtime, is_active \
                 FROM sys.segments WHERE {of}"
            ),
            format!(
                "SELECT server, segment_id FROM sys.server_segments WHERE segment_id LIKE '{}%'",
                self.topic()
            ),
            format!(
                "SELECT task_id, created_time, status, runner_status, error_msg FROM sys.tasks WHERE {of} \
                 ORDER BY created_time"
            ),
        ];
        let mut told = String::new();
        for query in queries {
            let _ = writeln!(told, "{query}");
            match self
                .client
                .sql(&query.replace("{}", &format!("\"{}\"", self.topic())))
                .await
            {
                Ok(rows) => {
                    for row in rows.unwrap_or_default() {
                        let _ = writeln!(told, "  {row}");
                    }
                }
                Err(error) => {
                    let _ = writeln!(told, "  {error}");
                }
            }
        }
        let status = self.client.supervisor_status(&self.topic()).await;
        let _ = writeln!(told, "supervisor: {status:?}");
        told
    }

    pub(crate) async fn create_topic(&self) {
        let topic = self.topic();
        let new = NewTopic::new(&topic, 2, TopicReplication::Fixed(1));
        let made = self
            .admin
            .create_topics([&new], &AdminOptions::new())
            .await
            .unwrap();
        assert!(made[0].is_ok(), "{made:?}");
        self.until_topic(true).await;
    }

    pub(crate) async fn delete_topic(&self) {
        let topic = self.topic();
        let _ = self
            .admin
            .delete_topics(&[&topic], &AdminOptions::new())
            .await;
        self.until_topic(false).await;
    }

    async fn until_topic(&self, there: bool) {
        // the brokers learn of a change one after the other
        for _ in 0..100 {
            let topics = streaming::druid::kafka::topics(&self.brokers)
                .await
                .unwrap();
            if topics.contains(&self.topic()) == there {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("the topic did not change");
    }

    /// Sends record values, by turns to both partitions.
    pub(crate) async fn send(&self, values: &[Option<Vec<u8>>]) {
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("message.timeout.ms", "30000")
            .create()
            .unwrap();
        let topic = self.topic();
        let sends = values.iter().enumerate().map(|(index, value)| {
            let mut record = FutureRecord::to(&topic)
                .key("key")
                .partition(i32::try_from(index % 2).unwrap());
            if let Some(value) = value {
                record = record.payload(value);
            }
            producer.send(record, Duration::from_secs(30))
        });
        futures::future::try_join_all(sends).await.unwrap();
    }

    /// Ends the supervisor and takes away what it left; a test that failed midway needs it too.
    pub(crate) async fn clear(&self) {
        let id = self.topic();
        let _ = self.client.supervisor_verb(&id, "terminate").await;
        let _ = self.client.delete_compaction(&id).await;
        let _ = self.client.post_rules(&id, &json!([])).await;
        self.delete_topic().await;
        // the last task publishes what it read: unused segments come after that
        for _ in 0..60 {
            if self
                .client
                .tasks(&id)
                .await
                .is_ok_and(|tasks| tasks.is_empty())
            {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let _ = self.client.forget(&id).await;
    }
}
