select 1 as id, 10 as amount, date '2026-01-01' as day, 'x' as word
