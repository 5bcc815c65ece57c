-- sql/segments/numbers_so_far.sql: the number that each customer of {table} has so far, 0 of none, in the order of its newest rows
SELECT coalesce(o.number, 0) AS number
FROM {table} t LEFT JOIN ({so_far}) o ON t.customer_id = o.key
WHERE exposure = 0 ORDER BY t.as_of, t.customer_id
