-- sql/binding/customers.sql: one row of attributes a customer
SELECT s.customer_id, s.as_of, {attributes}
FROM spine s JOIN behavior.customers c ON s.customer_id = c.customer_id
