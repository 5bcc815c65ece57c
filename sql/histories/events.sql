-- sql/histories/events.sql: what a customer had to do with items, the earliest first, those of one moment by chance, and how many days ago          needs: item_id
SELECT customer_id, as_of, list({'item': item, 'weight': weight, 'age': age} ORDER BY age DESC, hash(item, event_time), item, weight) AS events
FROM (
    SELECT customer_id, as_of, event_time, item_id::VARCHAR AS item, ({weight})::FLOAT AS weight, (epoch(as_of) - epoch(event_time)) / 86400 AS age
    FROM history WHERE item_id IS NOT NULL
)
WHERE weight > 0
GROUP BY customer_id, as_of
