-- sql/binding/asked.sql: the pairs a user's relation asks for, in UTC; without as_of, or NULL in it, the latest moment
SELECT DISTINCT customer_id, __sqlml_as_of AS as_of
FROM ml.latest newest, LATERAL (
    SELECT customer_id, coalesce(ml.utc(as_of), newest.as_of) AS __sqlml_as_of
    FROM query_table(__sqlml_relation))
