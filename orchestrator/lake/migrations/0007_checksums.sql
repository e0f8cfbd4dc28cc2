-- Of files' bytes, as they were when their rows were proven: a digest of rows cannot tell what became of a footer's
-- bounds, by which readers skip row groups. A file that is not here was written by a version that kept none, or by
-- Trino and not looked at since; it is compared without.
create table lake.checksums (
    path     text primary key,           -- s3://...
    checksum text not null,              -- `xxh3-128:` and 32 hexadecimal digits
    noted_at timestamptz not null default now()
);
create index on lake.refused_rows (table_schema, table_name, md5(row::text));
