-- sql/recommend/items.sql: the items that there are, of which some may have no event yet, and their codes
CREATE OR REPLACE TEMP TABLE sqlml_items AS
SELECT item, row_number() OVER (ORDER BY item) - 1 AS code
FROM (SELECT DISTINCT item FROM temp.sqlml_histories {others})
WHERE item IS NOT NULL
