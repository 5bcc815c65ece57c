-- sql/checks/error_customers_twice.sql: customers with more than one row in behavior.customers (and no valid_from to tell them apart)          needs: customers
SELECT customer_id, count(*) AS n_rows FROM behavior.customers GROUP BY customer_id HAVING count(*) > 1
