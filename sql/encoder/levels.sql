-- sql/encoder/levels.sql: the values of one category column that are frequent enough to have a code of their own
SELECT {column}::VARCHAR AS level
FROM {table}
WHERE {column} IS NOT NULL
GROUP BY 1
HAVING count(*) >= $least
ORDER BY count(*) DESC, level
LIMIT $most
