-- sql/catalog/report.sql: the record of one version in plain rows: what CREATE MODEL returns
WITH v AS (FROM ml.versions WHERE version_id = $1
), metric AS (
    PIVOT (FROM ml.metrics WHERE version_id = $1) ON metric IN ('n_rows', 'base_rate', 'auc', 'log_loss', 'ece', 'top_decile_lift')
    USING any_value(value) AS value, any_value(low) AS low, any_value(high) AS high GROUP BY method, population
), rows AS (
    SELECT 1 AS topic_order, 0 AS item_order, 'model' AS topic, model AS item,
           format('version {}, task {}, method {}, horizon {}', version, task, method, horizon) AS detail FROM v
    UNION ALL SELECT 1, 1, 'model', 'trained until', strftime(trained_until, '%Y-%m-%d %H:%M') FROM v
    UNION ALL SELECT 1, 2, 'model', 'shortest history', lookback::VARCHAR FROM v
    UNION ALL SELECT 1, 3, 'model', 'tested', tested FROM v
    UNION ALL SELECT 1, 4, 'model', 'seconds', round(seconds, 1)::VARCHAR FROM v
    UNION ALL SELECT 2, row_number() OVER (ORDER BY function_name), 'function', function_name,
           CASE WHEN is_table THEN format('FROM {}(''relation with customer_id [, as_of]'')', function_name)
                ELSE format('SELECT {}(customer_id [, as_of])', function_name) END FROM ml.functions WHERE version_id = $1
    UNION ALL SELECT 3, row_number() OVER (ORDER BY purpose = 'train', as_of DESC), 'cut-off', strftime(as_of, '%Y-%m-%d %H:%M'),
           format('{}: {:,} customers, base rate {:.3f}', purpose, n_rows, base_rate) FROM ml.cutoffs WHERE version_id = $1
    UNION ALL SELECT 4, row_number() OVER (ORDER BY population DESC, auc_value DESC NULLS LAST), 'metric',
           format('{}{}, {} customers', method, CASE WHEN method = (SELECT method FROM v) THEN ' (this model)' ELSE '' END, population),
           coalesce(format('AUC {:.3f} [{:.3f}, {:.3f}]', auc_value, auc_low, auc_high), 'AUC -')
               || format(', log-loss {:.4f}, ECE {:.3f}', log_loss_value, ece_value)
               || coalesce(format(', top-decile lift {:.2f}', top_decile_lift_value), '')
               || format(', base rate {:.3f} of {:,}', base_rate_value, n_rows_value::BIGINT) FROM metric
    UNION ALL SELECT 5, row_number() OVER (ORDER BY name), CASE WHEN is_used THEN 'feature' ELSE 'left out' END, name, detail
           FROM ml.features WHERE version_id = $1 AND NOT is_used
    UNION ALL SELECT 6, 0, 'features used', count(*)::VARCHAR, 'SELECT * FROM ml.features' FROM ml.features WHERE version_id = $1 AND is_used
    UNION ALL SELECT 7, row_number() OVER (), 'warning', '', warning FROM ml.warnings WHERE version_id = $1
)
SELECT topic, item, detail FROM rows ORDER BY topic_order, item_order
