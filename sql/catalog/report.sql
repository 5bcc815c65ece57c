-- sql/catalog/report.sql: the record of one version in plain rows: what CREATE MODEL returns
WITH v AS (
    FROM ml.versions WHERE version_id = $1 UNION ALL BY NAME SELECT NULL::VARCHAR AS comparison WHERE false   -- a file of an earlier release
), functions AS (
    SELECT row_number() OVER (ORDER BY f.rowid) AS place, f.kind, v.model || suffix AS name, is_table, suffix = '_at' AS is_at, v.query,
           CASE WHEN regexp_full_match(name, '[a-z_][a-z0-9_]*') THEN name ELSE '"' || replace(name, '"', '""') || '"' END AS called
    FROM ml.functions f, v WHERE f.version_id = $1
), figures AS (
    SELECT *, [CASE WHEN abs(x) < 1e-9 THEN '0' WHEN abs(x) >= 1000 THEN format('{:,.0f}', x) ELSE format('{:.4g}', x) END for x in [value, low, high]] AS shown
    FROM ml.metrics WHERE version_id = $1 AND value IS NOT NULL AND NOT starts_with(population, 'decile')
), metric AS (
    SELECT method, population, coalesce(min(value) FILTER (metric IN ('log_loss', 'rmse')), 1 - min(value) FILTER (metric IN ('eta2_spend', 'ndcg_10'))) AS loss,
           string_agg(label || ' ' || shown[1] || CASE WHEN low IS NULL OR NOT is_main THEN '' ELSE format(' [{}, {}]', shown[2], shown[3]) END,
                      ', ' ORDER BY place) AS detail
    FROM figures JOIN (VALUES (.1, 'eta2_spend', 'η² of later spend', true), (.2, 'eta2_orders', 'of later orders', false), (.3, 'stability', 'stability', false),
         (.4, 'silhouette', 'silhouette', false), (.5, 'davies_bouldin', 'Davies–Bouldin', false), (.6, 'n_segments', 'segments', false),
         (.7, 'hit_rate_10', 'HR@10', true), (.8, 'ndcg_10', 'NDCG@10', true), (.9, 'mrr_10', 'MRR@10', false), (1, 'auc', 'AUC', true), (3, 'normalized_gini', 'normalised Gini', true), (3.5, 'rmse', 'RMSE', true), (4, 'log_loss', 'log-loss', false),
         (4.2, 'bias', 'bias', true), (4.4, 'spearman', 'Spearman', false), (4.6, 'decile_mape', 'decile MAPE', false),
         (5, 'mae', 'MAE', false), (6, 'r2', 'R²', false), (6.2, 'accuracy', 'accuracy', true), (6.4, 'precision', 'precision', false), (6.6, 'recall', 'recall', false), (6.8, 'f1', 'F1', false),
         (7, 'ece', 'ECE', false), (8, 'top_decile_lift', 'top-decile lift', false),
         (9, 'coverage_90', 'coverage of a 90 % interval', false), (10, 'width_90', 'its width', false),
         (11, 'base_rate', 'base rate', false), (12, 'n_rows', 'rows', false)) named(place, metric, label, is_main) USING (metric)
    GROUP BY method, population
), tried AS (
    SELECT is_chosen, options->>'$.method' AS method, options->>'$.k' AS k, (options->>'$.stability')::DOUBLE AS stability,
           (options->>'$.quality')::DOUBLE AS quality, count(*) OVER () AS n, max(quality) FILTER (stability >= .8) OVER () AS best
    FROM ml.trials WHERE version_id = $1 AND (SELECT task FROM v) = 'segment'
), rows AS (
    SELECT 1 AS topic_order, 0 AS item_order, 'model' AS topic, model AS item,
           format('version {}, task {}, method {}', version, task, method) || coalesce(format(', horizon {}', horizon), '') AS detail FROM v
    UNION ALL SELECT 1, 1, 'model', 'trained until', strftime(trained_until, '%Y-%m-%d %H:%M') FROM v WHERE trained_until IS NOT NULL
    UNION ALL SELECT 1, 2, 'model', 'shortest history', lookback::VARCHAR FROM v WHERE lookback IS NOT NULL
    UNION ALL SELECT 1, 3, 'model', 'tested', tested FROM v
    UNION ALL SELECT 1, 3.5, 'model', 'compared', comparison FROM v WHERE comparison IS NOT NULL
    UNION ALL SELECT 1, 4, 'model', 'label', format('{}, {}', options->>'$.label', encoder->>'$.target.kind')
           || CASE WHEN encoder->>'$.target.levels[0]' IS NULL THEN '' ELSE format(' {}', encoder->>'$.target.levels') END
           || CASE (encoder->>'$.target.kind') WHEN 'binary' THEN format(', the probability is that of {}', encoder->>'$.target.levels[-1]')
              || CASE WHEN (options->>'$.task') IS NULL AND TRY_CAST((encoder->>'$.target.levels[0]') AS DOUBLE) IS NOT NULL AND TRY_CAST((encoder->>'$.target.levels[-1]') AS DOUBLE) IS NOT NULL
                      THEN '; two values are classified, task = ''regression'' learns them as a number' ELSE '' END ELSE '' END
           FROM v WHERE query IS NOT NULL AND task <> 'segment'
    UNION ALL SELECT 1, 4.5, 'model', 'chosen',
           format('{}, {} segments', method, k) || CASE WHEN n = 1 THEN '' WHEN stability < .8 THEN format(': the most stable of {} that were tried, none of them stable', n)
           ELSE format(': of {} that were tried, the fewest that are stable under resampling and nearly as good as the best of these, {:.3f}', n, best) END
           || format('. Stability {:.2f}, quality {:.3f}', stability, quality) FROM tried WHERE is_chosen
    UNION ALL SELECT 1, 5, 'model', 'seconds', round(seconds, 1)::VARCHAR FROM v
    UNION ALL SELECT 2, place, 'function', name,
           CASE WHEN kind = 'recommend' AND is_at THEN format('FROM {}(''relation with customer_id [, as_of]'' [, k])', called)
                WHEN kind = 'recommend' THEN format('SELECT {}(customer_id [, k] [, as_of])', called)
                WHEN kind = 'affinity' THEN format('SELECT {}(customer_id, item_id [, as_of])', called)
                WHEN kind = 'similar' THEN format('FROM {}(item_id [, k])', called)
                WHEN is_at THEN format('FROM {}(''relation with customer_id [, as_of]'')', called)
                WHEN is_table THEN format('FROM {}(customer_id [, as_of])', called)
                WHEN query IS NULL THEN format('SELECT {}(customer_id [, as_of])', called)
                ELSE format('SELECT {}(t) FROM t', called) END FROM functions
    UNION ALL SELECT 3, row_number() OVER (ORDER BY purpose = 'train', as_of DESC), 'cut-off', strftime(as_of, '%Y-%m-%d %H:%M'),
           format('{}: {:,} customers, {} {:.3f}', purpose, n_rows, CASE WHEN (SELECT task FROM v) IN ('regression', 'clv', 'segment') THEN 'mean label' ELSE 'base rate' END, base_rate) FROM ml.cutoffs WHERE version_id = $1
    UNION ALL SELECT 4, row_number() OVER (ORDER BY population DESC, loss), 'metric',
           method || CASE WHEN method = (SELECT method FROM v) THEN ' (this model)' ELSE '' END
                  || CASE WHEN (SELECT query FROM v) IS NULL THEN format(', {} customers', population) ELSE '' END, detail FROM metric
    UNION ALL SELECT 4.1, 0, 'metric', 'coverage of a 90 % interval by decile of the prediction, the lowest first',
           string_agg(format('{:.1f} %', 100 * value), ', ' ORDER BY split_part(population, ' ', 2)::INT)
           FROM ml.metrics WHERE version_id = $1 AND metric = 'coverage_90' AND starts_with(population, 'decile') HAVING count(*) > 0
    UNION ALL SELECT 4.2, loss, CASE WHEN is_chosen THEN 'trial (chosen)' ELSE 'trial' END, 'recipe ' || trial,
           format('loss {:.5f}, {:.1f} s: {}', loss, seconds, options) FROM ml.trials t
           WHERE version_id = $1 AND (SELECT count(*) FROM ml.trials WHERE version_id = $1) > 1 AND (SELECT task FROM v) <> 'segment'
    UNION ALL SELECT 4.5, row_number() OVER (ORDER BY importance DESC), 'importance', feature, format('{:.4f} ± {:.4f}', importance, deviation)
           FROM (FROM ml.importance WHERE version_id = $1 ORDER BY importance DESC LIMIT 10)
    UNION ALL SELECT 4.8, row_number() OVER (ORDER BY f.rowid), 'input', name, detail
           FROM ml.features f, v WHERE f.version_id = $1 AND is_used AND v.query IS NOT NULL AND
           (SELECT count(*) FROM ml.features u WHERE u.version_id = $1 AND u.is_used) <= 60
    UNION ALL SELECT 5, row_number() OVER (ORDER BY name), CASE WHEN is_used THEN 'feature' ELSE 'left out' END, name, detail
           FROM ml.features WHERE version_id = $1 AND NOT is_used
    UNION ALL SELECT 6, 0, 'features used', count(*)::VARCHAR, 'SELECT * FROM ml.features' FROM ml.features WHERE version_id = $1 AND is_used
    UNION ALL SELECT 7, row_number() OVER (), 'warning', '', warning FROM ml.warnings WHERE version_id = $1
)
SELECT topic, item, detail FROM rows ORDER BY topic_order, item_order
