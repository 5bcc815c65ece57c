-- sql/catalog/before.sql: the version that a rollback of the promoted one goes back to: the last that was promoted before it and still exists
SELECT p.version_id
FROM ml.promotions p JOIN ml.versions USING (version_id)
WHERE p.model = $model AND p.reason <> 'rolled back' AND p.version_id <> $current
  AND p.promoted_at < (SELECT max(promoted_at) FROM ml.promotions WHERE version_id = $current AND reason <> 'rolled back')
ORDER BY p.promoted_at DESC LIMIT 1
