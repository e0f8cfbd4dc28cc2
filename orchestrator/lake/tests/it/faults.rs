//! Servers behind a bad line: proxies on loopback that do harm by a seeded chance.

pub(crate) mod http;
pub(crate) mod postgres;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Numbers without a pattern, the same for the same seed; which request gets which is up to the order of arrival.
pub(crate) struct Chance(AtomicU64);

impl Chance {
    pub(crate) fn of(seed: u64) -> Self {
        Self(AtomicU64::new(seed.wrapping_mul(0xa076_1d64_78bd_642f)))
    }

    pub(crate) fn below(&self, limit: u64) -> u64 {
        let n = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
        let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (n ^ (n >> 31)) % limit
    }
}

/// `LAKE_SEED`, or always the same. Shown when the test fails.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("LAKE_SEED")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    println!("LAKE_SEED={seed}");
    seed
}

/// How often which harm was done.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<BTreeMap<&'static str, u32>>>);

impl Tally {
    pub(crate) fn count(&self, harm: &'static str) {
        *self.0.lock().unwrap().entry(harm).or_default() += 1;
    }

    /// A test that did no harm has shown nothing.
    pub(crate) fn assert_all(&self, harms: &[&str]) {
        let done = self.0.lock().unwrap();
        println!("{done:?}");
        let missing: Vec<_> = harms.iter().filter(|h| !done.contains_key(**h)).collect();
        assert!(missing.is_empty(), "{missing:?} never happened: {done:?}");
    }
}

/// Stands before a server until it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Proxy {
    async fn start<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // a line that breaks is what this is for
                tokio::spawn(serve(client));
            }
        });
        Self { address, accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
