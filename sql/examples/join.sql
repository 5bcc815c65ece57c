-- sql/examples/join.sql: features and label of each example, and how much of its window is known; a customer is always in the same half of a fold (2f and 2f + 1 make fold f); a NULL label leaves the row out
CREATE OR REPLACE TEMP TABLE {table} AS
SELECT f.customer_id, f.as_of, l.* EXCLUDE (customer_id, as_of), (hash(f.customer_id::VARCHAR) % $folds * 2 + hash(f.customer_id::VARCHAR) // $folds % 2)::BIGINT AS fold, s.is_active,
       least(1, (epoch($known_by::TIMESTAMP) - epoch(f.as_of)) / $window_seconds) AS exposure,
       f.* EXCLUDE (customer_id, as_of)
FROM ({features}) f
JOIN temp.sqlml_labels l USING (customer_id, as_of)
JOIN temp.sqlml_spine s USING (customer_id, as_of)
WHERE l.label IS NOT NULL
