-- sql/binding/asked.sql: the pairs a user's relation asks for, in UTC; without as_of the latest moment, where it is NULL no answer
SELECT DISTINCT customer_id, __sqlml_as_of AS as_of
FROM ml.latest __sqlml_newest, LATERAL (
    SELECT customer_id, ml.utc(as_of) AS __sqlml_as_of
    FROM query_table(__sqlml_relation))
