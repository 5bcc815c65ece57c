-- sql/catalog/predictions.sql: keep the model's own held-out predictions
INSERT INTO ml.predictions
SELECT $1, customer_id::VARCHAR, as_of, label, {score}, $2
FROM temp.sqlml_heldout
WHERE method = $3
