-- sql/catalog/promoted.sql: the promoted version of every model, with the kinds of its functions
SELECT v.version_id, v.model, v.version, v.task, v.method, v.options, v.encoder,
       (SELECT list(DISTINCT f.kind ORDER BY f.kind) FROM {functions} f WHERE f.version_id = v.version_id) AS kinds
FROM {models} m JOIN {versions} v USING (version_id)
ORDER BY v.model
