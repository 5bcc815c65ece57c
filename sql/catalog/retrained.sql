-- sql/catalog/retrained.sql: ALTER MODEL ... RETRAIN: the new version, whether it was promoted, and what the gate compared
SELECT v.model, v.version, v.version_id IN (SELECT version_id FROM ml.models) AS is_promoted,
       g.metric AS gate_metric, g.old_value, g.new_value
FROM ml.versions v LEFT JOIN ml.gates g USING (version_id)
WHERE v.version_id = $1
