-- sql/catalog/evaluation.sql: EVALUATE MODEL: the stored metrics of one version, on rows it was not trained on
SELECT method, population, metric, value, low, high, false AS in_sample
FROM ml.metrics WHERE version_id = $1 ORDER BY method <> $2, method, starts_with(population, 'decile'), population DESC, metric
