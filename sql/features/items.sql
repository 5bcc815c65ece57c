-- sql/features/items.sql: how wide the taste is, and how often an item comes again          needs: item_id
SELECT customer_id, as_of,
       count(DISTINCT item_id)::FLOAT                                    AS n_items,
       (count(DISTINCT item_id) / nullif(count(item_id), 0))::FLOAT      AS distinct_item_share,
       (count(item_id) / count(DISTINCT event_time::DATE))::FLOAT        AS items_per_active_day,
       count(DISTINCT item_id) FILTER (event_time > as_of - INTERVAL 90 DAY)::FLOAT AS n_items_90d
FROM history
GROUP BY customer_id, as_of
