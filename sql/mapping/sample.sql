-- sql/mapping/sample.sql: up to a thousand different values, on which most forms are ruled out
SELECT DISTINCT x
FROM ({values})
WHERE x IS NOT NULL LIMIT 1000
