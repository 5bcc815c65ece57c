-- sql/recommend/items.sql: the items that there are, of which none may have an event yet, and their codes
SELECT item, row_number() OVER (ORDER BY item) - 1 AS code
FROM (SELECT DISTINCT item FROM temp.sqlml_histories {others})
WHERE item IS NOT NULL
