-- sql/catalog/explain_customers.sql: EXPLAIN MODEL ... FOR customers and moments: the answer and the effect of each feature
WITH __sqlml_asked AS ({query}
)
SELECT asking.* EXCLUDE (__sqlml_as_of), {udf}(f.__sqlml_x) AS {answer},
       CASE WHEN f.__sqlml_x IS NOT NULL THEN ml.{explanation}(f.__sqlml_x) END AS explanation
FROM (
    SELECT l.*
    FROM ml.latest __sqlml_newest, LATERAL (
        SELECT r.*, {moment} AS __sqlml_as_of
        FROM query_table('__sqlml_asked') r) l
) asking
LEFT JOIN ml.{features_of}('__sqlml_asked') f
  ON asking.customer_id = f.__sqlml_key AND asking.__sqlml_as_of = f.__sqlml_as_of
