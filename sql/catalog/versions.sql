-- sql/catalog/versions.sql: versions, of every model the promoted one or all, with the kinds of their functions
SELECT v.version_id, v.model, v.version, v.task, v.method, v.options, v.encoder,
       (SELECT list(DISTINCT f.kind ORDER BY f.kind) FROM {functions} f WHERE f.version_id = v.version_id) AS kinds,
       v.query, v.trained_until, v.horizon, (v.fingerprint->>'$.silence_days')::INTEGER AS silence
FROM {versions} v LEFT JOIN {models} m USING (version_id)
WHERE m.version_id IS NOT NULL OR NOT $promoted
ORDER BY v.model, v.version
