-- sql/report/version.sql: what the head of the page says of one version
SELECT strftime(created_at, '%Y-%m-%d %H:%M') AS created_at, strftime(trained_until, '%Y-%m-%d %H:%M') AS trained_until,
       horizon::VARCHAR AS horizon, tested, options->>'$.label' AS label,
       CASE encoder->>'$.target.kind' WHEN 'binary' THEN encoder->>'$.target.levels[-1]' END AS positive,
       version_id IN (SELECT version_id FROM ml.models) AS is_promoted
FROM ml.versions WHERE version_id = $1
