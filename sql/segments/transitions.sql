-- sql/segments/transitions.sql: how many customers of `until` came from which segment of `since`; `sqlml_arrow` has the numbers of the rows of {table} in their order
WITH numbered AS (
    SELECT customer_id, as_of, number
    FROM (SELECT customer_id, as_of, row_number() OVER (ORDER BY as_of, customer_id) AS place FROM {table})
    JOIN (SELECT number, row_number() OVER () AS place FROM sqlml_arrow) USING (place)
)
SELECT $since, $until, a.number AS from_segment, b.number AS to_segment, count(*) AS customers
FROM numbered b LEFT JOIN numbered a ON a.customer_id = b.customer_id AND a.as_of = $since
WHERE b.as_of = $until
GROUP BY a.number, b.number
