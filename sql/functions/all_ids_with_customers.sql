-- sql/functions/all_ids_with_customers.sql: every customer that has an event or a row of attributes
SELECT customer_id FROM behavior.events WHERE customer_id IS NOT NULL
UNION
SELECT customer_id FROM behavior.customers WHERE customer_id IS NOT NULL
