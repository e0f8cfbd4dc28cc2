//! The object store, and iceberg's view of it.
//!
//! One bucket; a location is `s3://bucket/key`. Every call to the store passes a gate ([`gate`]), where tests kill the
//! process. Calls that answer with a server's error, or not at all, are repeated for half a minute; then they
//! fail.
//!
//! Nothing here overwrites by design, though S3 would: names carry an attempt's id. An upload in parts that is
//! neither completed nor aborted is not listed and costs space until the server clears it away; MinIO does so
//! after a day, other stores want a lifecycle rule (AbortIncompleteMultipartUpload).

mod checksum;
mod files;
mod gate;
mod http;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use iceberg::io::{FileIO, FileIOBuilder};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreExt as _, PutMode, RetryConfig};
use tokio::net::TcpStream;

use crate::Error;
use crate::settings::S3Args;

pub(crate) use checksum::Checksum;
pub use files::{LakeStorage, LakeStorageFactory};

/// The object store that holds the lake.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// `host:port`, unless objects are somewhere else.
    server: Option<Arc<str>>,
    bucket: Arc<str>,
    warehouse: Arc<str>,
}

/// One object, as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// `s3://bucket/key`
    pub location: String,
    /// Bytes.
    pub size: u64,
    /// The store's clock.
    pub last_modified: DateTime<Utc>,
}

impl Store {
    /// The store that the settings name. Nothing is sent yet.
    ///
    /// # Errors
    /// When the settings make no sense, such as an endpoint that is no URL.
    pub fn open(args: &S3Args) -> Result<Self, Error> {
        let server = server(&args.s3_endpoint)?;
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(5),
                base: 2.0,
            },
            // the time decides, not the number
            max_retries: 100,
            retry_timeout: Duration::from_secs(30),
        };
        let s3 = AmazonS3Builder::new()
            .with_endpoint(&args.s3_endpoint)
            .with_region(&args.s3_region)
            .with_bucket_name(&args.s3_bucket)
            .with_access_key_id(&args.s3_access_key)
            .with_secret_access_key(args.s3_secret_key.reveal())
            // bucket in the path: servers of one's own have no name per bucket
            .with_virtual_hosted_style_request(false)
            .with_allow_http(true)
            .with_http_connector(http::Connector {
                tls: args.s3_endpoint.starts_with("https:"),
            })
            .with_retry(retry)
            .build()
            .map_err(|source| failed("opening", &args.s3_endpoint, source))?;
        let store = Self::new(Arc::new(s3), &args.s3_bucket, &args.s3_warehouse);
        Ok(Self {
            server: Some(server.into()),
            ..store
        })
    }

    /// Whether someone listens where the store should be: asked before anything begins, since calls are repeated for
    /// half a minute.
    ///
    /// # Errors
    /// Nobody does.
    pub(crate) async fn reach(&self) -> Result<(), Error> {
        let Some(server) = &self.server else {
            return Ok(());
        };
        let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(&**server)).await;
        let source = match connected {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => std::io::ErrorKind::TimedOut.into(),
        };
        Err(Error::StoreAway {
            server: server.to_string(),
            source,
        })
    }

    /// A store behind the gate; tables are kept under the path `warehouse`.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>, bucket: &str, warehouse: &str) -> Self {
        Self {
            objects: Arc::new(gate::Gate(objects)),
            server: None,
            bucket: bucket.into(),
            warehouse: warehouse.trim_matches('/').into(),
        }
    }

    /// The objects themselves, by key.
    #[must_use]
    pub fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    /// Where tables are kept: `s3://bucket/warehouse`.
    #[must_use]
    pub fn warehouse(&self) -> String {
        if self.warehouse.is_empty() {
            format!("s3://{}", self.bucket)
        } else {
            format!("s3://{}/{}", self.bucket, self.warehouse)
        }
    }

    /// Iceberg's access to the same objects.
    #[must_use]
    pub fn file_io(&self) -> FileIO {
        FileIOBuilder::new(Arc::new(LakeStorageFactory::of(self.clone()))).build()
    }

    /// The key of a location.
    ///
    /// # Errors
    /// When the location is not in this bucket.
    pub fn key(&self, location: &str) -> Result<Path, Error> {
        let key = ["s3://", "s3a://"]
            .iter()
            .find_map(|scheme| location.strip_prefix(scheme))
            .and_then(|rest| rest.strip_prefix(&*self.bucket))
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or_else(|| Error::Malformed {
                what: location.to_owned(),
                message: format!("is not in bucket {}", self.bucket),
            })?;
        Path::parse(key).map_err(|e| Error::Malformed {
            what: location.to_owned(),
            message: e.to_string(),
        })
    }

    /// The location of a key.
    #[must_use]
    pub fn location(&self, key: &Path) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// All objects in the folder `location`, in no order. The time is the store's.
    ///
    /// # Errors
    /// When the location is elsewhere; the stream ends with an error when the store fails.
    pub fn list(&self, location: &str) -> Result<BoxStream<'static, Result<Object, Error>>, Error> {
        let (key, store) = (self.key(location.trim_end_matches('/'))?, self.clone());
        let location = location.to_owned();
        let listed = self.objects.list(Some(&key)).map(move |found| {
            let found = found.map_err(|source| failed("listing", &location, source))?;
            Ok(Object {
                location: store.location(&found.location),
                size: found.size,
                last_modified: found.last_modified,
            })
        });
        Ok(listed.boxed())
    }

    /// An object's size and time; `None` when it is not there.
    ///
    /// # Errors
    /// When the location is elsewhere or the store fails.
    pub async fn head(&self, location: &str) -> Result<Option<Object>, Error> {
        match self.objects.head(&self.key(location)?).await {
            Ok(found) => Ok(Some(Object {
                location: location.to_owned(),
                size: found.size,
                last_modified: found.last_modified,
            })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(failed("head of", location, source)),
        }
    }

    /// An object whole.
    ///
    /// # Errors
    /// When the location is elsewhere, nothing is there, or the store fails.
    pub async fn get(&self, location: &str) -> Result<Bytes, Error> {
        let key = self.key(location)?;
        let get = async { self.objects.get(&key).await?.bytes().await };
        get.await
            .map_err(|source| failed("get of", location, source))
    }

    /// Writes an object if there is none; says whether there was none. A repeated request whose first answer was
    /// lost finds its own object, so `false` may mean that it was written by this call.
    ///
    /// # Errors
    /// When the location is elsewhere or the store fails.
    pub async fn put_if_absent(&self, location: &str, bytes: Bytes) -> Result<bool, Error> {
        let key = self.key(location)?;
        let put = self
            .objects
            .put_opts(&key, bytes.into(), PutMode::Create.into());
        match put.await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(source) => Err(failed("put of", location, source)),
        }
    }

    /// An object's bytes to another name, whatever is there, without their coming here.
    ///
    /// # Errors
    /// When a location is elsewhere or the store fails.
    pub(crate) async fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        let (source, target) = (self.key(from)?, self.key(to)?);
        let copied = self.objects.copy(&source, &target).await;
        copied.map_err(|source| failed("copy to", to, source))
    }

    /// Deletes objects; one that is not there counts as deleted.
    ///
    /// # Errors
    /// When a location is elsewhere or the store fails; earlier ones are then gone.
    pub async fn delete(&self, locations: &[String]) -> Result<(), Error> {
        let keys = locations.iter().map(|location| self.key(location));
        let keys = keys.collect::<Result<Vec<_>, Error>>()?;
        let keys = futures::stream::iter(keys).map(Ok).boxed();
        self.objects
            .delete_stream(keys)
            .or_else(|e| async {
                match e {
                    object_store::Error::NotFound { .. } => Ok(Path::default()),
                    other => Err(other),
                }
            })
            .try_for_each(|_| async { Ok(()) })
            .await
            .map_err(|source| failed("delete of", &format!("{} objects", locations.len()), source))
    }
}

/// Names the bucket; what lies behind it may hold secrets.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.warehouse())
    }
}

/// How long a server may take to take a connection.
const PATIENCE: Duration = Duration::from_secs(3);

/// `host:port` of an endpoint.
fn server(endpoint: &str) -> Result<String, Error> {
    let url = reqwest::Url::parse(endpoint).ok();
    let address = url
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .and_then(|url| {
            Some(format!(
                "{}:{}",
                url.host_str()?,
                url.port_or_known_default()?
            ))
        });
    address.ok_or_else(|| Error::NotDone {
        what: "reach the object store".to_owned(),
        reason: "RIDEHAIL_S3_ENDPOINT is no address".to_owned(),
        hint: "write http://host:port".to_owned(),
    })
}

fn failed(doing: &str, what: &str, source: object_store::Error) -> Error {
    Error::ObjectStore {
        what: format!("{doing} {what}"),
        source,
    }
}
