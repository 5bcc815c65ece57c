-- sql/functions/parts.sql: every customer at the moment, neighbours by id together, in parts of about so many events and customers
SELECT customer_id, $as_of::TIMESTAMP AS as_of, coalesce(sum(weight) OVER before, 0) // $whole AS part
FROM (SELECT customer_id, coalesce(n, 0) * $customers + $events AS weight
      FROM ({ids}) LEFT JOIN (SELECT customer_id, count(*) AS n FROM behavior.events GROUP BY customer_id) USING (customer_id))
WINDOW before AS (ORDER BY customer_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
