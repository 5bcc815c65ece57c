-- sql/encoder/keys.sql: the keys of one MAP column that are frequent enough to become a column of their own
SELECT key
FROM (SELECT unnest(map_keys({column})) AS key FROM {table})
GROUP BY key
HAVING count(*) >= $least
ORDER BY count(*) DESC, key
LIMIT $most
