-- When a dump was whole. Until then it is being made, or its maker was killed.
alter table lake.backups add column finished_at timestamptz;
update lake.backups set finished_at = taken_at;
