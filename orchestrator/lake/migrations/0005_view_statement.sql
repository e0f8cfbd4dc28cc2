-- The statement that made the view: it is made again when the table's columns, their types or the literals ask for
-- another one. NULL: made by a version that did not note it, so made once more.
alter table lake.tables add column view_statement text;
