-- sql/mapping/unread.sql: how many values a form does not read, and three of them
SELECT count(*), list(DISTINCT x::VARCHAR ORDER BY x::VARCHAR)[:3]
FROM ({values})
WHERE x IS NOT NULL AND ({form}) IS NULL
