//! What an object's bytes come to. Not against a forger, who could forge the ledger as well: against disks, and hands.

use futures::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use xxhash_rust::xxh3::Xxh3;

use super::{Store, failed};
use crate::Error;

/// A checksum of bytes as they come.
#[derive(Clone, Default)]
pub(crate) struct Checksum(Xxh3);

impl Checksum {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// With its kind, so that another one may follow.
    pub(crate) fn text(&self) -> String {
        format!("xxh3-128:{:032x}", self.0.digest128())
    }
}

impl Store {
    /// Reads an object to its end.
    ///
    /// # Errors
    /// When the location is elsewhere, nothing is there, or the store fails.
    pub(crate) async fn checksum(&self, location: &str) -> Result<String, Error> {
        let key = self.key(location)?;
        let read = async {
            let mut sum = Checksum::default();
            let mut bytes = self.objects.get(&key).await?.into_stream();
            while let Some(part) = bytes.try_next().await? {
                sum.update(&part);
            }
            Ok(sum.text())
        };
        read.await
            .map_err(|source| failed("get of", location, source))
    }
}
