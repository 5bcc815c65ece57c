-- sql/checks/error_customers_twice_valid_from.sql: customers with two rows in behavior.customers valid from the same moment          needs: customers, customers.valid_from
SELECT customer_id, valid_from, count(*) AS n_rows FROM behavior.customers GROUP BY customer_id, valid_from HAVING count(*) > 1
