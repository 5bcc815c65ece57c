-- sql/recommend/log.sql: the events by customer and time, customers and items as codes
SELECT dense_rank() OVER (ORDER BY customer_id) - 1 AS customer, code::INTEGER AS item, weight, age
FROM temp.sqlml_histories JOIN temp.sqlml_items USING (item)
ORDER BY customer, place
