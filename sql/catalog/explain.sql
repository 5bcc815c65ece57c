-- sql/catalog/explain.sql: EXPLAIN MODEL: the record of one version, and beside it how it was made, from what, and how it fares
WITH v AS (FROM ml.versions WHERE version_id = $1
), columns AS (
    SELECT unnest(from_json(encoder->'$.columns', '["JSON"]')) AS c FROM v
), encodings AS (
    SELECT row_number() OVER () AS place, c->>'$.name' AS name, c->>'$.expression' AS expression,
           from_json(c->'$.edges', '["DOUBLE"]') AS edges, from_json(c->'$.levels', '["VARCHAR"]') AS levels,
           len(from_json(c->'$.spikes', '["DOUBLE"]')) AS spikes FROM columns
), looked_at AS (
    SELECT c->>'$.column' AS name, c->>'$.measure' AS measure, (c->>'$.value')::DOUBLE AS value, (c->>'$.is_suspect')::BOOLEAN AS is_suspect
    FROM (SELECT unnest(from_json(leaks, '["JSON"]')) AS c FROM v)
), backtests AS (
    SELECT metric, avg(value) AS mean, min(value) AS least, max(value) AS most, count(*) AS n
    FROM ml.backtests b JOIN v USING (version_id)
    WHERE b.method = v.method AND b.population = 'all' AND run_at = (SELECT max(run_at) FROM ml.backtests JOIN v USING (version_id))
    GROUP BY metric
), rows AS (
    SELECT 1 AS topic_order, row_number() OVER () AS item_order, topic, item, detail FROM ({report})
    UNION ALL SELECT 2, row_number() OVER (ORDER BY o.key), 'option', o.key, o.value->>'$'
        FROM v, json_each(v.options) o WHERE o.value::VARCHAR <> 'null'
    UNION ALL SELECT 3, place, 'encoding', name,
        CASE WHEN len(levels) > 0 THEN format('{} levels: {}', len(levels), array_to_string(levels[:8], ', ') || CASE WHEN len(levels) > 8 THEN ', ...' ELSE '' END)
             ELSE format('{} bins from {:.4g} to {:.4g}', len(edges) - 1, edges[1], edges[-1]) || CASE WHEN spikes > 0 THEN format(', {} values of their own', spikes) ELSE '' END END FROM encodings
    UNION ALL SELECT 3.5, 0, 'leak check', format('{} columns', count(*)), format('each alone against the label; {} tell it nearly by themselves (AUC from .97, R² from .99)', count_if(is_suspect)) FROM looked_at HAVING count(*) > 0
    UNION ALL SELECT 3.5, row_number() OVER (ORDER BY is_suspect DESC, value DESC), 'leak check', name, format('{} {:.3f}', measure, value) || CASE WHEN is_suspect THEN ': tells the label' ELSE '' END
        FROM (FROM looked_at ORDER BY is_suspect DESC, value DESC LIMIT 5)
    UNION ALL SELECT 4, 0, 'training SQL', '', CASE WHEN octet_length(coalesce(query, input_sql)::BLOB) <= 500 THEN coalesce(query, input_sql) ELSE
        format('{:,} lines: sqlml explain {} --sql, or SELECT coalesce(query, input_sql) FROM ml.versions WHERE version_id = ''{}''',
               len(string_split(coalesce(query, input_sql), chr(10))), model, version_id) END FROM v
    UNION ALL SELECT 5, row_number() OVER (ORDER BY o.key), 'data', o.key, o.value->>'$' FROM v, json_each(v.fingerprint) o
    UNION ALL SELECT 6, row_number() OVER (ORDER BY o.key), 'package', o.key, o.value->>'$' FROM v, json_each(v.packages) o
    UNION ALL SELECT 7, 0, 'size', 'weights', format('{:,} bytes', octet_length(safetensors)) FROM ml.weights WHERE version_id = $1
    UNION ALL SELECT 7, 1, 'speed', 'forward pass', format('{:,} rows/s when it was made', rows_per_second::BIGINT) FROM v WHERE rows_per_second IS NOT NULL
    UNION ALL SELECT 8, u.version, 'version', format('version {}', u.version),
        format('{}, {}, {}', strftime(u.created_at, '%Y-%m-%d %H:%M'), u.method, u.tested) || CASE WHEN u.version_id IN (SELECT version_id FROM ml.models) THEN ', promoted' ELSE '' END
        FROM ml.versions u JOIN v ON u.model = v.model
    UNION ALL SELECT 9, row_number() OVER (ORDER BY p.promoted_at), 'promotion', strftime(p.promoted_at, '%Y-%m-%d %H:%M:%S'),
        coalesce(format('version {}, ', u.version), 'a version dropped since, ') || p.reason
        FROM ml.promotions p JOIN v ON p.model = v.model LEFT JOIN ml.versions u ON u.version_id = p.version_id
    UNION ALL SELECT 10, 0, 'gate', CASE WHEN is_passed THEN 'passed' ELSE 'not passed' END,
        format('{} of the new recipe {:.5g}, of the old {:.5g}', metric, new_value, old_value) FROM ml.gates WHERE version_id = $1
    UNION ALL SELECT 11, row_number() OVER (ORDER BY metric), 'back-test', metric,
        format('mean {:.4g} over {} cut-offs, from {:.4g} to {:.4g}', mean, n, least, most) FROM backtests WHERE mean IS NOT NULL
)
SELECT topic, item, detail FROM rows ORDER BY topic_order, item_order
