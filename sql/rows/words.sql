-- sql/rows/words.sql: the words and pairs of words of a text column that tell most about the label: how far its mean moves, in standard errors
WITH words AS (
    SELECT unnest(list_distinct({column})) AS word, {label} AS label FROM {table}
), everyone AS (
    SELECT avg({label}) AS mean, count({column}) AS n FROM {table}
)
SELECT word, count(*) / n AS share
FROM words, everyone
GROUP BY word, mean, n
HAVING count(*) >= $least
ORDER BY abs(avg(label) - mean) * sqrt(count(*)) DESC, count(*) DESC, word
LIMIT $most
