select 2 as customer_id, 'n' as customer_name, timestamp '2024-01-01 10:00' as first_seen, timestamp '2024-01-01 10:00' as valid_from, timestamp '2024-01-01 10:00' as valid_to
