-- sql/recommend/items.sql: the items that there are, in the order of their codes
SELECT DISTINCT item FROM temp.sqlml_histories ORDER BY item
