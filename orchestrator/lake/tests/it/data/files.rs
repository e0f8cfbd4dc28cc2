//! What becomes of files as tables change, and how damage to them shows.

use futures::StreamExt as _;
use lake::readback::{self, File};
use lake::shape::Plan;
use lake::witness::Witness;
use lake::write;
use lake::{Damage, Error};

use super::{DAY, archive, files, place, reread};
use crate::bed::{Bed, evolved};

#[tokio::test(flavor = "multi_thread")]
async fn old_files_keep_their_meaning_as_the_table_changes() {
    let bed = Bed::new().await;
    bed.sql(&format!(
        "create table w (at timestamptz not null, a int2, b real, c numeric(9,2), d int[], gone text);
         insert into w select '{DAY} 12:00Z', n, n / 7.0, n / 100.0, array[n, null], 'x' || n
         from generate_series(-500, 500) n"
    ))
    .await;
    let old_shape = bed.shape("w").await.unwrap();
    let old_table = bed.table("w", &old_shape, "at");
    let (old, _) = archive(&bed, &old_table, &old_shape, "w").await.unwrap();

    bed.sql(
        "alter table w alter a type int8, alter b type float8, alter c type numeric(20,2), alter d type int8[],
         drop gone, add new jsonb",
    )
    .await;
    let shape = bed.shape("w").await.unwrap();
    let metadata = old_table.metadata();
    let plan = shape
        .diff("at", metadata.current_schema(), metadata.last_column_id())
        .unwrap();
    let Plan::Evolve { schema, changes } = plan else {
        panic!("{plan:?}");
    };
    insta::assert_snapshot!(changes.join(", "), @"widen a to int8, widen b to float8, widen c to numeric(20,2), widen d to int8[], add new jsonb");
    let table = evolved(&old_table, *schema);

    // the old file under the old shape, by the new table; the old digest holds
    let (digest, _) = reread(&bed, &table, &old_shape, &files(&old))
        .await
        .unwrap();
    assert_eq!(old.digest.differences(&digest), [""; 0]);
    // and under the new one: what Postgres has now, whose new column is NULL
    let (digest, seen) = reread(&bed, &table, &shape, &files(&old)).await.unwrap();
    let mut connection = bed.connection().await;
    let said = Witness::of_postgres(&mut connection, "from w", &shape)
        .await
        .unwrap();
    assert_eq!(said.differences(&seen), [""; 0]);
    let (new, _) = archive(&bed, &table, &shape, "w").await.unwrap();
    assert_eq!(new.digest.differences(&digest), [""; 0]);

    // both files together, as a day that was moved and flushed
    let both = [files(&old), files(&new)].concat();
    let (digest, _) = reread(&bed, &table, &shape, &both).await.unwrap();
    assert_eq!(digest.rows(), 2002);
    // a narrower shape's rows are written as wide as the table is
    let schema = table.metadata().current_schema();
    let mut rows = readback::rows(&bed.store, schema, &old_shape, files(&old), None).unwrap();
    let narrow = write::write(&table, &bed.store, &old_shape, rows.stream(), place());
    let narrow = narrow.await.unwrap();
    assert_eq!(old.digest.differences(&narrow.digest), [""; 0]);
    let (digest, _) = reread(&bed, &table, &shape, &files(&narrow)).await.unwrap();
    assert_eq!(new.digest.differences(&digest), [""; 0]);
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_files_are_found() {
    let bed = Bed::new().await;
    bed.sql(&format!(
        "create table x (at timestamptz not null, id int8, note text);
         insert into x select '{DAY} 12:00Z', n, md5(n::text) from generate_series(1, 5000) n"
    ))
    .await;
    let shape = bed.shape("x").await.unwrap();
    let table = bed.table("x", &shape, "at");
    let (written, _) = archive(&bed, &table, &shape, "x").await.unwrap();
    let [file] = files(&written).try_into().unwrap();
    let bytes = bed.store.get(&file.location).await.unwrap();
    let check = async |file: &File| reread(&bed, &table, &shape, std::slice::from_ref(file)).await;

    let gone = File {
        location: file.location.replace("-0.parquet", "-7.parquet"),
        ..file.clone()
    };
    let error = check(&gone).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::File {
                damage: Damage::Missing,
                ..
            }
        ),
        "{error}"
    );

    let put = async |bytes: Vec<u8>| {
        bed.store
            .delete(std::slice::from_ref(&file.location))
            .await
            .unwrap();
        assert!(
            bed.store
                .put_if_absent(&file.location, bytes.into())
                .await
                .unwrap()
        );
    };
    put(bytes[..bytes.len() - 100].to_vec()).await;
    let error = check(&file).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::File {
                damage: Damage::Altered,
                ..
            }
        ),
        "{error}"
    );
    // and if the ledger believed that size
    let short = File {
        bytes: file.bytes - 100,
        ..file.clone()
    };
    let error = check(&short).await.unwrap_err();
    assert!(error.to_string().contains(&file.location), "{error}");

    let fewer = File {
        rows: 4999,
        ..file.clone()
    };
    put(bytes.to_vec()).await;
    let error = check(&fewer).await.unwrap_err();
    assert!(
        error.to_string().contains("holds 5000 rows, not 4999"),
        "{error}"
    );

    // A byte that is another: an error or another digest, but where it carries no value (statistics, names).
    let (mut errors, mut digests, mut harmless) = (0, 0, 0);
    for n in 0..150 {
        let mut other = bytes.to_vec();
        let at = n * other.len() / 150;
        other[at] ^= 0x10;
        put(other).await;
        match check(&file).await {
            Err(Error::File { location, .. }) if location == file.location => errors += 1,
            Err(error) => panic!("byte {at}: {error}"),
            Ok((digest, _)) if digest != written.digest => digests += 1,
            Ok((_, seen)) => {
                let mut connection = bed.connection().await;
                let said = Witness::of_postgres(&mut connection, "from x", &shape)
                    .await
                    .unwrap();
                assert_eq!(said, seen, "byte {at}");
                harmless += 1;
            }
        }
    }
    assert!(
        errors > 0 && digests + errors > 100,
        "{errors} {digests} {harmless}"
    );
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_lists_and_guards() {
    let bed = Bed::new().await;
    let at = |name: &str| format!("{}/{name}", bed.store.warehouse());
    assert!(
        bed.store
            .put_if_absent(&at("a/1"), "one".into())
            .await
            .unwrap()
    );
    assert!(
        !bed.store
            .put_if_absent(&at("a/1"), "two".into())
            .await
            .unwrap()
    );
    assert!(
        bed.store
            .put_if_absent(&at("a/2"), "two".into())
            .await
            .unwrap()
    );
    assert_eq!(bed.store.get(&at("a/1")).await.unwrap(), "one");
    assert_eq!(bed.store.head(&at("a/1")).await.unwrap().unwrap().size, 3);
    assert!(bed.store.head(&at("a/3")).await.unwrap().is_none());
    let listed = bed.store.list(&at("a/")).unwrap();
    let mut listed: Vec<String> = listed.map(|found| found.unwrap().location).collect().await;
    listed.sort();
    assert_eq!(listed, [at("a/1"), at("a/2")]);
    bed.store
        .delete(&[at("a/1"), at("a/3"), at("a/2")])
        .await
        .unwrap();
    assert!(bed.store.head(&at("a/2")).await.unwrap().is_none());
    assert!(bed.store.key("s3://elsewhere/a").is_err());
    bed.clean().await;
}
