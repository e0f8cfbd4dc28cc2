select timestamp '2024-01-01 10:00' as at_hour, 1 as fiscal, 1 as other_year
