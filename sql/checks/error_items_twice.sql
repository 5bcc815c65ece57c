-- sql/checks/error_items_twice.sql: items with more than one row in behavior.items          needs: items
SELECT item_id, count(*) AS n_rows FROM behavior.items GROUP BY item_id HAVING count(*) > 1
