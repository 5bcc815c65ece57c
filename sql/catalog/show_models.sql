-- sql/catalog/show_models.sql: SHOW MODELS: every model with its promoted version and what the rehearsal found
SELECT v.model, v.task, v.version, v.method, v.horizon, v.trained_until, v.tested,
       (SELECT value FROM ml.metrics m WHERE m.version_id = v.version_id AND m.method = v.method AND m.population = 'all' AND m.metric = 'auc')::FLOAT AS auc,
       (SELECT value FROM ml.metrics m WHERE m.version_id = v.version_id AND m.method = v.method AND m.population = 'all' AND m.metric = 'log_loss')::FLOAT AS log_loss,
       (SELECT value FROM ml.metrics m WHERE m.version_id = v.version_id AND m.method = v.method AND m.population = 'all' AND m.metric = 'rmse')::FLOAT AS rmse,
       v.comparison,
       (SELECT list(v.model || suffix ORDER BY is_table, suffix) FROM ml.functions f WHERE f.version_id = v.version_id) AS functions,
       v.created_at
FROM ml.models
JOIN (FROM ml.versions UNION ALL BY NAME SELECT NULL::VARCHAR AS comparison WHERE false) v USING (version_id)   -- a file of an earlier release
WHERE v.model LIKE $1
ORDER BY v.model
