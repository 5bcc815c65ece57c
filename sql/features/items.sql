-- sql/features/items.sql: how wide the taste is, and how often an item comes again          needs: item_id
SELECT customer_id, as_of,
       count(item_id)::FLOAT                                                       AS n_items,
       (count(item_id) / nullif(sum(n), 0))::FLOAT                                 AS distinct_item_share,
       count(item_id) FILTER (newest > as_of - INTERVAL 90 DAY)::FLOAT             AS n_items_90d
FROM (SELECT customer_id, as_of, item_id, count(item_id) AS n, max(event_time) AS newest
      FROM history GROUP BY customer_id, as_of, item_id)
GROUP BY customer_id, as_of
