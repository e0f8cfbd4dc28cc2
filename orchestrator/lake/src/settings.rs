//! Where the object store is.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// The object store that holds the lake.
#[derive(Clone, Debug, clap::Args)]
pub struct S3Args {
    /// S3 endpoint that holds the lake
    #[arg(
        long,
        env = "RIDEHAIL_S3_ENDPOINT",
        default_value = "http://127.0.0.1:15090"
    )]
    pub s3_endpoint: String,
    /// Region that requests to S3 are signed for
    #[arg(long, env = "RIDEHAIL_S3_REGION", default_value = "us-east-1")]
    pub s3_region: String,
    /// Bucket that holds the lake
    #[arg(long, env = "RIDEHAIL_S3_BUCKET", default_value = "lake")]
    pub s3_bucket: String,
    /// Path within the bucket that tables are kept under
    #[arg(long, env = "RIDEHAIL_S3_WAREHOUSE", default_value = "warehouse")]
    pub s3_warehouse: String,
    /// Access key of the lake's own user
    #[arg(long, env = "RIDEHAIL_S3_ACCESS_KEY", default_value = "ridehail")]
    pub s3_access_key: String,
    /// Secret key of that user
    #[arg(
        long,
        env = "RIDEHAIL_S3_SECRET_KEY",
        default_value = "ridehail-secret",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub s3_secret_key: Secret,
}

/// A word that never prints itself.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The word, for connecting only.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
