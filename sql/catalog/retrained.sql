-- sql/catalog/retrained.sql: ALTER MODEL ... RETRAIN: the new version, whether it was promoted, what the gate compared, and what that means
SELECT v.model, v.version, v.version_id IN (SELECT version_id FROM ml.models) AS is_promoted,
       g.metric AS gate_metric, g.old_value, g.new_value,
       CASE WHEN $2 THEN format('Nothing to compare: data and options are those of version {}. Nothing was trained.', v.version)
            WHEN g.is_passed THEN 'Promoted: the new recipe is no worse than by chance.'
            WHEN NOT g.is_passed THEN 'Not promoted: the new recipe is worse.' ELSE 'Promoted.' END AS note
FROM ml.versions v LEFT JOIN ml.gates g ON g.version_id = v.version_id AND NOT $2
WHERE v.version_id = $1
