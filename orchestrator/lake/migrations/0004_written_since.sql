-- SQL's opinion of the rows is asked for while they are copied, so it is there from `copied` on. What is written to a
-- frozen partition after that would not be seen by it: whoever drops the partition looks for rows of this transaction
-- and of later ones. NULL: copied by a version that asked later.
alter table lake.moves add column written_since int8;
comment on column lake.moves.witness is 'what SQL said of the rows while they were copied, agreed with at `verified`';
