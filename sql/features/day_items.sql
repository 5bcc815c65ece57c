-- sql/features/day_items.sql: how many items an active day has          needs: item_id
SELECT customer_id, as_of,
       (sum(n_items) / count(*))::FLOAT AS items_per_active_day
FROM days
GROUP BY customer_id, as_of
