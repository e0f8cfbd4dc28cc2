//! The way of the data: Postgres -> Parquet in the store -> back, and what stops it.

use futures::StreamExt as _;
use iceberg::table::Table;
use lake::copy::encode::{self, Encoder};
use lake::digest::Digest;
use lake::readback::{self, File};
use lake::shape::{Plan, Shape};
use lake::witness::{Observer, Witness};
use lake::write::{self, Place, Written};
use lake::{Damage, Error, read};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::bed::{Bed, evolved};

const DAY: &str = "2026-11-20";

fn place() -> Place {
    Place {
        attempt: Uuid::new_v4(),
        move_id: Uuid::new_v4(),
        flush: 0,
        day: DAY.parse().unwrap(),
    }
}

fn options(table: &str) -> read::Options {
    read::Options {
        table: table.to_owned(),
        ..read::Options::default()
    }
}

/// All rows of a table into files.
async fn archive(
    bed: &Bed,
    table: &Table,
    shape: &Shape,
    name: &str,
) -> Result<(Written, PgConnection), Error> {
    let select = format!("select {} from {name} order by at", shape.select_list());
    let mut rows = read::rows(bed.connection().await, &select, shape, options(name));
    let written = write::write(table, &bed.store, shape, rows.stream(), place(), None).await?;
    Ok((written, rows.finish().expect("all rows were read")))
}

fn files(written: &Written) -> Vec<File> {
    written.files.iter().map(File::from).collect()
}

/// What is in the files, and what a witness says of it.
async fn reread(
    bed: &Bed,
    table: &Table,
    shape: &Shape,
    files: &[File],
) -> Result<(Digest, Witness), Error> {
    let mut observer = Observer::new(shape);
    let schema = table.metadata().current_schema();
    let digest = readback::digest(&bed.store, schema, shape, files, None, |batch| {
        observer.observe(batch);
        Ok(())
    });
    let digest = digest.await?;
    Ok((digest, observer.finish()))
}

/// Archives a table, proves it, restores it beside itself and compares every value's text in Postgres.
async fn round_trip(bed: &Bed, name: &str) {
    let shape = bed.shape(name).await.unwrap();
    let table = bed.table(name, &shape, "at");
    let (written, mut connection) = archive(bed, &table, &shape, name).await.unwrap();
    let (digest, seen) = reread(bed, &table, &shape, &files(&written)).await.unwrap();
    assert_eq!(written.digest.differences(&digest), [""; 0], "{name}");
    let from = format!("from {name}");
    let said = Witness::of_postgres(&mut connection, &from, &shape)
        .await
        .unwrap();
    if said != seen {
        panic!(
            "{name}: {:?}\n{said:#?}\n{seen:#?}",
            said.differences(&seen)
        );
    }
    for file in &written.files {
        let json = write::data_file_to_json(&table, file).unwrap();
        assert_eq!(write::data_file_from_json(&table, &json).unwrap(), *file);
    }
    restore(bed, &table, &shape, name, &files(&written)).await;
}

async fn restore(bed: &Bed, table: &Table, shape: &Shape, name: &str, files: &[File]) {
    bed.sql(&format!("create table {name}_back (like {name})"))
        .await;
    let mut connection = bed.connection().await;
    let back = format!("{name}_back");
    let elements = encode::element_types(&mut connection, "public", &back)
        .await
        .unwrap();
    let encoder = Encoder::new(shape, &elements);
    let mut copy = connection
        .copy_in_raw(&format!("copy {back} from stdin (format binary)"))
        .await
        .unwrap();
    copy.send(encode::header()).await.unwrap();
    let schema = table.metadata().current_schema();
    let mut rows = readback::rows(&bed.store, schema, shape, files.to_vec(), None).unwrap();
    while let Some(batch) = rows.next().await {
        let mut bytes = Vec::new();
        encoder.encode(&batch.unwrap(), &mut bytes).unwrap();
        copy.send(bytes).await.unwrap();
    }
    copy.send(encode::TRAILER).await.unwrap();
    copy.finish().await.unwrap();
    for (left, right) in [(name, back.as_str()), (back.as_str(), name)] {
        let sql = format!(
            "select coalesce(string_agg(x, E'\\n'), 'nothing') from
             (select t::text x from {left} t except all select t::text from {right} t limit 3) d"
        );
        assert_eq!(bed.value(&sql).await, "nothing", "only in {left}");
    }
}

/// Types, and values of them that have broken programs, separated by bars.
const TYPES: &[(&str, &str)] = &[
    ("boolean", "true|false"),
    ("smallint", "-32768|32767|0"),
    ("integer", "-2147483648|2147483647|0"),
    ("bigint", "-9223372036854775808|9223372036854775807|0"),
    (
        "real",
        "'NaN'|'-0'|'0'|'Infinity'|'-Infinity'|1e-45|3.4028235e38|0.1",
    ),
    (
        "double precision",
        "'NaN'|'-0'|'0'|'-Infinity'|5e-324|1.7976931348623157e308|0.1",
    ),
    (
        "numeric(12,2)",
        "0|0.01|-0.01|9999999999.99|-9999999999.99|10000|100000000",
    ),
    (
        "numeric(38,0)",
        "99999999999999999999999999999999999999|-99999999999999999999999999999999999999|0",
    ),
    (
        "numeric(38,38)",
        "0.99999999999999999999999999999999999999|0.00000000000000000000000000000000000001",
    ),
    ("numeric(9,4)", "99999.9999|-0.0001|10000"),
    ("numeric(18,9)", "123456789.123456789|0.000000001"),
    ("numeric(3,5)", "0.00999|-0.00001"),
    ("numeric(5,-2)", "9999900|-100"),
    (
        "text",
        r"''|'NULL'|'ünïcödé 🚕'|E'\x01\t\n'|'\N'|repeat('x',5000)|' a '",
    ),
    ("varchar(5)", "''|'abcde'|'é🚕'"),
    ("char(7)", "''|'ab'|'  c'"),
    ("name", "''|'a name'"),
    ("mood", "'sad'|'happy'"),
    ("fare", "0|12.34"),
    (
        "uuid",
        "'00000000-0000-0000-0000-000000000000'|'ffffffff-ffff-ffff-ffff-ffffffffffff'|gen_random_uuid()",
    ),
    ("json", r#"'{"b":1,  "a":[1,2]}'|'null'|'"é"'"#),
    (
        "jsonb",
        r#"'{"b":1,  "a":[1,null,{"x":"🚕"}]}'|'null'|'""'|'1e400'"#,
    ),
    (
        "date",
        "'4713-01-01 BC'|'5874897-12-31'|'1970-01-01'|'1969-12-31'",
    ),
    ("time", "'00:00'|'23:59:59.999999'"),
    (
        "timestamp",
        "'4713-01-01 BC'|'294246-12-31 23:59:59.999999'|'1969-12-31 23:59:59.999999'",
    ),
    (
        "timestamptz",
        "'4713-01-02 BC'|'294246-12-30 23:59:59.999999+00'|'2000-01-01 00:00:00.000001+00'",
    ),
    ("bytea", r"''|'\x00ff'|'\x5c78'"),
    ("boolean[]", "'{}'|'{t,f,NULL}'"),
    ("smallint[]", "'{}'|'{-32768,NULL}'"),
    ("integer[]", "'{}'|'{1,NULL,3}'|'{2147483647}'"),
    ("bigint[]", "'{}'|'{-9223372036854775808,1}'"),
    ("real[]", "'{NaN,-0,0}'"),
    ("double precision[]", "'{NaN,-0,Infinity}'"),
    ("numeric(12,2)[]", "'{}'|'{0.01,NULL,-9999999999.99}'"),
    ("text[]", r#"'{}'|'{"",NULL,"NULL","a,b","🚕"}'"#),
    ("varchar(3)[]", "'{abc}'"),
    ("mood[]", "'{sad,NULL}'"),
    ("fare[]", "'{1.5}'"),
    ("uuid[]", "'{ffffffff-ffff-ffff-ffff-ffffffffffff}'"),
    ("jsonb[]", r#"array['{"a":1}'::jsonb,null]"#),
    ("date[]", "'{2026-11-20,NULL}'"),
    ("time[]", "'{23:59:59.999999}'"),
    ("timestamp[]", "'{2026-11-20 01:02:03.000004}'"),
    ("timestamptz[]", "'{2026-11-20 01:02:03.000004+00}'"),
    ("bytea[]", r"array['\x00'::bytea,'',null]"),
];

const PREPARE: &str = "
create type mood as enum ('sad', 'happy');
create domain fare_base as numeric(12,2);
create domain fare as fare_base check (value >= 0);";

#[tokio::test(flavor = "multi_thread")]
async fn every_type_comes_back_as_it_was() {
    let bed = Bed::new().await;
    bed.sql(PREPARE).await;
    for (n, (data_type, values)) in TYPES.iter().enumerate() {
        let mut sql = format!("create table t{n} (at timestamptz not null, v {data_type});");
        for value in values.split('|').chain(["null"]) {
            sql += &format!("insert into t{n} values ('{DAY} 23:59:59.999999Z', {value});");
        }
        bed.sql(&sql).await;
        round_trip(&bed, &format!("t{n}")).await;
    }
    bed.clean().await;
}

/// Columns of all types, each row's values chosen by chance; several row groups' worth of batches.
#[tokio::test(flavor = "multi_thread")]
async fn random_tables_come_back_as_they_were() {
    let bed = Bed::new().await;
    bed.sql(PREPARE).await;
    let seed: u32 = std::env::var("RIDEHAIL_SEED").map_or(1, |seed| seed.parse().unwrap());
    for n in 0..8_u32 {
        // every table leaves out some types
        let chosen = (0..TYPES.len()).filter(|at| (*at as u32 * 7 + n + seed) % 5 < 3);
        let (mut columns, mut choices) = (String::new(), String::new());
        for at in chosen {
            let (data_type, values) = TYPES[at];
            let values: Vec<&str> = values.split('|').collect();
            let cases = values.iter().enumerate();
            let cases: String = cases
                .map(|(k, v)| format!(" when {k} then cast({v} as {data_type})"))
                .collect();
            columns += &format!(", \"C{at}\" {data_type}");
            choices += &format!(
                ", case floor(random() * {})::int{cases} end",
                values.len() + 1 // one more: NULL
            );
        }
        // names differ in case from what SQL makes of them, on purpose
        let name = format!("r{n}");
        bed.sql(&format!(
            "select setseed({});
             create table {name} (at timestamptz not null{columns});
             insert into {name}
             select '{DAY} 00:00Z'::timestamptz + random() * interval '23 hours'{choices}
             from generate_series(1, 3000)",
            f64::from(seed % 1000) / 1000.0 + f64::from(n) / 10_000.0
        ))
        .await;
        round_trip(&bed, &name).await;
    }
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn types_without_a_counterpart_are_refused_when_a_move_is_planned() {
    let bed = Bed::new().await;
    let mut found = String::new();
    for data_type in [
        "numeric",
        "numeric(39,0)",
        "interval",
        "inet",
        "point",
        "int4range",
        "money",
        "xml",
        "\"char\"",
        "timetz",
        "int4[][]",
        "interval[]",
        "oid",
        "bit(3)",
        "pg_class",
    ] {
        bed.sql(&format!(
            "create table u (at timestamptz not null, v {data_type})"
        ))
        .await;
        found += &match bed.shape("u").await {
            Ok(shape) => format!("{data_type}: archived as {}\n", shape.columns[1].data_type),
            Err(error) => format!("{error}; {}\n", error.hint().unwrap_or_default()),
        };
        bed.sql("drop table u").await;
    }
    insta::assert_snapshot!(found, @r#"
    public.u: column `v` is numeric, which cannot be archived; declare it numeric(p, s), with p at most 38, or cast it to text
    public.u: column `v` is numeric(39,0), which cannot be archived; 39 digits are more than the 38 that Iceberg's decimals hold: narrow it, or cast it to text
    public.u: column `v` is interval, which cannot be archived; keep the interval's length in a bigint of microseconds, or cast it to text
    public.u: column `v` is inet, which cannot be archived; cast the column to text or jsonb, or leave the table without an archive
    public.u: column `v` is point, which cannot be archived; cast the column to text or jsonb, or leave the table without an archive
    public.u: column `v` is int4range, which cannot be archived; cast the column to text or jsonb, or leave the table without an archive
    public.u: column `v` is money, which cannot be archived; cast the column to numeric(p, s)
    public.u: column `v` is xml, which cannot be archived; cast the column to text or jsonb, or leave the table without an archive
    public.u: column `v` is "char", which cannot be archived; cast the column to text or jsonb, or leave the table without an archive
    public.u: column `v` is time with time zone, which cannot be archived; use time, or timestamp with time zone
    int4[][]: archived as int4[]
    public.u: column `v` is interval[], which cannot be archived; keep the interval's length in a bigint of microseconds, or cast it to text
    public.u: column `v` is oid, which cannot be archived; cast the column to text or jsonb, or leave the table without an archive
    public.u: column `v` is bit(3), which cannot be archived; cast the column to text or jsonb, or leave the table without an archive
    public.u: column `v` is pg_class, which cannot be archived; cast the column to text or jsonb, or leave the table without an archive
    "#);
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_without_a_counterpart_ends_it_and_the_connection_too() {
    let bed = Bed::new().await;
    bed.sql(&format!(
        "create table v (at timestamptz not null, fare numeric(12,2), note text);
         insert into v select '{DAY} 12:00Z', n, repeat('x', 1000) from generate_series(1, 20000) n;
         update v set fare = 'NaN' where fare = 10000"
    ))
    .await;
    let shape = bed.shape("v").await.unwrap();
    let table = bed.table("v", &shape, "at");
    let error = archive(&bed, &table, &shape, "v").await.unwrap_err();
    insta::assert_snapshot!(error, @"v: column `fare`: `NaN`; Iceberg's decimals have no such value");
    nobody_copies(&bed).await;

    // nor is one kept that nobody reads to its end
    bed.sql("update v set fare = 0").await;
    let select = format!("select {} from v", shape.select_list());
    let mut rows = read::rows(bed.connection().await, &select, &shape, options("v"));
    assert!(rows.next().await.unwrap().unwrap().num_rows() > 0);
    assert!(rows.finish().is_none());
    nobody_copies(&bed).await;

    // rows of another day never get into a day's file
    bed.sql(&format!("update v set at = '{DAY} 00:00Z'::timestamptz - interval '1 us' where ctid = (select max(ctid) from v)")).await;
    let error = archive(&bed, &table, &shape, "v").await.unwrap_err();
    insta::assert_snapshot!(error, @"s.v: rows of another day among those of 2026-11-20");
    let listed = bed.store.list(&bed.store.warehouse()).unwrap();
    assert_eq!(
        listed.collect::<Vec<_>>().await.len(),
        0,
        "nothing is left where it failed"
    );
    bed.clean().await;
}

/// Waits until no COPY runs in the test's database.
async fn nobody_copies(bed: &Bed) {
    for _ in 0..500 {
        let sql = "select count(*) from pg_stat_activity where datname = current_database() and query like 'copy%'";
        if bed.value(sql).await == "0" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("a COPY goes on that nobody reads");
}

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
    let narrow = write::write(&table, &bed.store, &old_shape, rows.stream(), place(), None);
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
