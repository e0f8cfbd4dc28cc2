-- Late rows of days that `archive abandon` gave back to their writers, while they are on their way to the table: two
-- views follow each other, so that no query sees one of them twice or not at all. One at a time for each table.
create table lake.given_back (
    table_schema text        not null,
    table_name   text        not null,
    lower        timestamptz not null,                 -- rows of days from here; '-infinity': from the first
    upper        timestamptz not null,                 -- to before here
    last_seq     int8        not null,                 -- that had arrived when the boundary returned
    in_table     boolean     not null default false,   -- false: the view is to show them from the late table; true: from the table
    primary key (table_schema, table_name),
    foreign key (table_schema, table_name) references lake.tables on delete cascade
);
