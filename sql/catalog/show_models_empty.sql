-- sql/catalog/show_models_empty.sql: SHOW MODELS before any model was made
SELECT NULL::VARCHAR AS model, NULL::VARCHAR AS task, NULL::INTEGER AS version, NULL::VARCHAR AS method, NULL::INTERVAL AS horizon,
       NULL::TIMESTAMP AS trained_until, NULL::VARCHAR AS tested, NULL::FLOAT AS auc, NULL::FLOAT AS log_loss, NULL::FLOAT AS rmse,
       NULL::VARCHAR AS comparison, NULL::VARCHAR[] AS functions, NULL::TIMESTAMP AS created_at
WHERE $1 IS NULL AND false
