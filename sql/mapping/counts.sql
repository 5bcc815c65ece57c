-- sql/mapping/counts.sql: how many values x there are, and how many of them each form reads
SELECT count(x), {counts}
FROM ({values})
