-- sql/catalog/evaluate_customers.sql: answers and labels of customers at moments whose horizon is over
SELECT l.customer_id, l.as_of, {label} AS label, false AS is_active, {answer} AS score
FROM ({labels}) l
JOIN ml.{features_of}('sqlml_asked') f ON l.customer_id = f.__sqlml_key AND l.as_of = f.__sqlml_as_of
WHERE l.label IS NOT NULL
