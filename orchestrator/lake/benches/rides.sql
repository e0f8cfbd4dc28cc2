-- Rides of one day, evenly spread: a table of facts as warehouses have them, 12 columns, about 110 bytes a row on the wire.
-- benches/move.rs and .ci/bench_lake.py replace what is in braces.
create table if not exists {table} (
    ride_id int8 not null, at timestamptz not null, city text not null, driver_id int8 not null, rider_id int8 not null,
    status text not null, vehicle text, fare numeric(12,2) not null, tip numeric(8,2), distance_km float8, duration_s int4,
    shared boolean
) {partitioning};
{partitions}
insert into {table}
select n, '{day} 00:00Z'::timestamptz + n * interval '86399 s' / {rows},
    (array['warsaw','berlin','lisbon','oslo','lagos','tokyo'])[1 + floor(random() * 6)::int],
    floor(random() * 5000)::int8, floor(random() * 300000)::int8,
    (array['completed','completed','completed','cancelled'])[1 + floor(random() * 4)::int],
    case when random() < 0.9 then 'vehicle-' || floor(random() * 4000)::int end,
    round((3 + random() * 60)::numeric, 2), case when random() < 0.3 then round((random() * 9)::numeric, 2) end,
    round((random() * 30)::numeric, 3)::float8, 60 + (random() * 3600)::int, random() < 0.14
from generate_series(1, {rows}) n;
