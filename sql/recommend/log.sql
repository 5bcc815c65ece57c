-- sql/recommend/log.sql: the events by customer and time, customers and items as codes
WITH items AS (SELECT item, row_number() OVER (ORDER BY item) - 1 AS code FROM (SELECT DISTINCT item FROM temp.sqlml_histories))
SELECT dense_rank() OVER (ORDER BY customer_id) - 1 AS customer, code::INTEGER AS item, weight, age
FROM temp.sqlml_histories JOIN items USING (item)
ORDER BY customer, age DESC, code
