-- sql/examples/join.sql: features and label of each example; a customer is always in the same fold; a NULL label leaves the row out
CREATE OR REPLACE TEMP TABLE {table} AS
SELECT f.customer_id, f.as_of, l.label, (hash(f.customer_id::VARCHAR) % $folds)::BIGINT AS fold, s.is_active,
       f.* EXCLUDE (customer_id, as_of)
FROM ({features}) f
JOIN temp.sqlml_labels l USING (customer_id, as_of)
JOIN temp.sqlml_spine s USING (customer_id, as_of)
WHERE l.label IS NOT NULL
