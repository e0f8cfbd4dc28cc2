//! A store that answers 500, is slow, or hangs up: requests are repeated, and what arrives is what was sent.

use std::time::Duration;

use lake::Error;
use lake::storage::Store;

use super::{DAY, archive, files, reread};
use crate::bed::{Bed, s3};
use crate::faults::http::{self, Fate};
use crate::faults::{Chance, Proxy};

/// Stands before the store; one request in three comes to no good.
async fn faulty(to: &str, seed: u64) -> Proxy {
    let chance = Chance::of(seed);
    http::proxy(to, move |request| match chance.below(12) {
        0 | 1 => Fate::Answered("500 Internal Server Error"),
        2 => Fate::Cut(chance.below(1 + request.body.len() as u64) as usize),
        3 => Fate::AnswerCut(chance.below(2000) as usize),
        _ => Fate::Slow(Duration::from_millis(chance.below(50))),
    })
    .await
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
        let proxy = faulty(&address, seed).await;
        args.s3_endpoint = proxy.url();
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
    }
    assert!(right >= 4, "only {right} of 6 attempts came through");
    args.s3_endpoint = format!("http://{address}");
    bed.store = Store::open(&args).unwrap();
    bed.clean().await;
}
