-- sql/binding/customers_valid_from.sql: of several rows a customer, the one that was valid at as_of
SELECT s.customer_id, s.as_of, {attributes}
FROM spine s ASOF JOIN behavior.customers c ON s.customer_id = c.customer_id AND s.as_of >= {valid_from}
