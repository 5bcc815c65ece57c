-- sql/catalog/predictions.sql: keep the model's own held-out predictions
INSERT INTO ml.predictions
SELECT $1, key, as_of, {label}, {score}, $2
FROM temp.sqlml_heldout
WHERE method = $3
