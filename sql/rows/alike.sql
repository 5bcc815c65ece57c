-- sql/rows/alike.sql: values of one text column that differ in nothing but case and blanks
SELECT list(v ORDER BY n DESC, v)
FROM (SELECT {text} AS v, count(*) AS n FROM {table} WHERE {text} IS NOT NULL GROUP BY 1)
GROUP BY lower(regexp_replace(trim(v), '\s+', ' ', 'g'))
HAVING count(*) > 1
ORDER BY sum(n) DESC
