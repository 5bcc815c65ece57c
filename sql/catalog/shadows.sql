-- sql/catalog/shadows.sql: macros of the user's that have the name of a function of DuckDB's own and are found before it
SELECT DISTINCT f.database_name || '.' || f.schema_name || '.' || f.function_name
FROM duckdb_functions() f
WHERE f.function_type LIKE '%macro' AND f.database_name <> 'system' AND {is_found}
  AND lower(f.function_name) IN (SELECT lower(function_name) FROM duckdb_functions() WHERE database_name = 'system')
ORDER BY 1
