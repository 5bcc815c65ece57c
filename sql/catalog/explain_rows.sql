-- sql/catalog/explain_rows.sql: EXPLAIN MODEL ... FOR rows: the answer and the effect of each column
SELECT __sqlml_q.*, ml.{answers}(__sqlml_q) AS {answer}, ml.{explanation}(__sqlml_q) AS explanation
FROM ({query}
) __sqlml_q
