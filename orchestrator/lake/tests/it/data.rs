//! The way of the data: Postgres -> Parquet in the store -> back, and what stops it.

mod faults;
mod files;

use futures::StreamExt as _;
use iceberg::table::Table;
use lake::copy::encode::{self, Encoder};
use lake::digest::Digest;
use lake::readback::{self, File};
use lake::shape::Shape;
use lake::witness::{Observer, Witness};
use lake::write::{self, Place, Written};
use lake::{Error, read};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::bed::Bed;

const DAY: &str = "2026-11-20";

fn place() -> Place {
    let attempt = Uuid::new_v4();
    Place {
        attempt,
        named: attempt,
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
    let written = write::write(table, &bed.store, shape, rows.stream(), place()).await?;
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
