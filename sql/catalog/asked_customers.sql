-- sql/catalog/asked_customers.sql: the customers and moments of a query, each once, in UTC; where it has no as_of, NULL
CREATE OR REPLACE TEMP TABLE sqlml_asked AS
SELECT DISTINCT asked.customer_id, ml.utc(asked.moment) AS as_of
FROM (SELECT NULL::TIMESTAMP AS as_of) absent, LATERAL (SELECT customer_id, as_of AS moment FROM sqlml_arrow_asked) asked
