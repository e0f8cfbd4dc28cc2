//! A store that answers 500, is slow, or hangs up: requests are repeated, and what arrives is what was sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lake::Error;
use lake::storage::Store;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{DAY, archive, files, reread};
use crate::bed::{Bed, s3};

/// Numbers without a pattern, the same for the same seed.
struct Chance(AtomicU64);

impl Chance {
    fn below(&self, limit: u64) -> u64 {
        let n = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
        let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (n ^ (n >> 31)) % limit
    }
}

/// Stands before the store; one connection in three comes to no good.
async fn faulty(to: String, seed: u64) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let chance = Arc::new(Chance(AtomicU64::new(seed)));
    let proxy = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, to.clone(), Arc::clone(&chance)));
        }
    });
    (format!("http://{address}"), proxy)
}

async fn serve(mut client: TcpStream, to: String, chance: Arc<Chance>) {
    if chance.below(6) == 0 {
        // a request without a body is read to its end, so that the answer is not lost to a reset
        let _ = client.read(&mut [0; 64 << 10]).await;
        let answer =
            "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let _ = client.write_all(answer.as_bytes()).await;
        return;
    }
    tokio::time::sleep(Duration::from_millis(chance.below(50))).await;
    let Ok(server) = TcpStream::connect(to).await else {
        return;
    };
    // bytes that either side may send before the line is cut
    let budget = match chance.below(3) {
        0 => chance.below(4 << 20),
        1 => chance.below(2000),
        _ => u64::MAX,
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::select! {
        () = pipe(&mut from_client, &mut to_server, budget) => {}
        () = pipe(&mut from_server, &mut to_client, budget) => {}
    }
}

async fn pipe(
    from: &mut (impl tokio::io::AsyncRead + Unpin),
    to: &mut (impl tokio::io::AsyncWrite + Unpin),
    mut budget: u64,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        let n = (n as u64).min(budget);
        budget -= n;
        if to.write_all(&buffer[..n as usize]).await.is_err() || budget == 0 {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_faulty_store_keeps_is_right_or_an_error() {
    let mut bed = Bed::new().await;
    let mut args = s3(&bed.name);
    let Some(address) = args.s3_endpoint.strip_prefix("http://").map(str::to_owned) else {
        return bed.clean().await; // in memory, or encrypted
    };
    // more than one request's worth of bytes that do not compress
    bed.sql(&format!(
        "create table y (at timestamptz not null, id int8, noise bytea);
         insert into y select '{DAY} 12:00Z', n, sha512(n::text::bytea) from generate_series(1, 150000) n"
    ))
    .await;
    let shape = bed.shape("y").await.unwrap();
    let mut right = 0;
    for seed in 1..=6 {
        let (endpoint, proxy) = faulty(address.clone(), seed).await;
        args.s3_endpoint = endpoint;
        bed.store = Store::open(&args).unwrap();
        let table = bed.table("y", &shape, "at");
        // An answer to the last request of an upload in parts may be lost: then the upload failed as far as anyone
        // can tell, and the move begins a new attempt.
        match archive(&bed, &table, &shape, "y").await {
            Ok((written, _)) => {
                let (digest, _) = reread(&bed, &table, &shape, &files(&written))
                    .await
                    .unwrap();
                assert_eq!(written.digest.differences(&digest), [""; 0], "seed {seed}");
                right += 1;
            }
            Err(error) => assert!(
                matches!(error, Error::ObjectStore { .. }),
                "seed {seed}: {error}"
            ),
        }
        proxy.abort();
    }
    assert!(right >= 4, "only {right} of 6 attempts came through");
    args.s3_endpoint = format!("http://{address}");
    bed.store = Store::open(&args).unwrap();
    bed.clean().await;
}
