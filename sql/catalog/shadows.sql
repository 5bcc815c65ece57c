-- sql/catalog/shadows.sql: macros of a database, or temporary ones, that stand in the way of a function of DuckDB's own
SELECT DISTINCT f.database_name || '.' || f.schema_name || '.' || f.function_name
FROM duckdb_functions() f
WHERE f.function_type LIKE '%macro' AND f.database_name IN ($database, 'temp') AND f.schema_name = 'main'
  AND lower(f.function_name) IN (SELECT lower(function_name) FROM duckdb_functions() WHERE database_name = 'system')
ORDER BY 1
