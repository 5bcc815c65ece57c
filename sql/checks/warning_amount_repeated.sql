-- sql/checks/warning_amount_repeated.sql: events of several items at one moment that all have one amount: the total of an order on each of its lines? It would count once a line          needs: amount, item_id
WITH orders AS (
    SELECT customer_id, event_time, min(amount) = max(amount) AS is_same
    FROM behavior.events WHERE customer_id IS NOT NULL AND amount <> 0
    GROUP BY ALL HAVING count(DISTINCT item_id) > 1
)
SELECT e.* FROM behavior.events e SEMI JOIN orders o
ON e.customer_id = o.customer_id AND e.event_time = o.event_time AND o.is_same
WHERE (SELECT avg(is_same::INT) > .9 AND count(*) >= 20 FROM orders)
