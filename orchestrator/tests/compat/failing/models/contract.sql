select 1 as id, 'x' as word, true as surplus
