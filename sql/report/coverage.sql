-- sql/report/coverage.sql: which share of each tenth of the predictions lies inside its 90 % interval, the lowest first
SELECT split_part(population, ' ', 2)::INT AS decile, value AS coverage
FROM ml.metrics WHERE version_id = $1 AND metric = 'coverage_90' AND starts_with(population, 'decile') ORDER BY decile
