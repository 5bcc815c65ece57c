-- sql/rows/elements.sql: the elements of a list column that are frequent enough to become a column of their own
SELECT element::VARCHAR AS element, count(*) / (SELECT count({column}) FROM {table}) AS share
FROM (SELECT unnest(list_distinct({column})) AS element FROM {table})
WHERE element IS NOT NULL
GROUP BY element
HAVING count(*) >= $least
ORDER BY count(*) DESC, element
LIMIT $most
