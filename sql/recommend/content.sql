-- sql/recommend/content.sql: what is said of items that there are, word by word, and how much each word tells of an item
WITH codes AS (SELECT item, code FROM ({items})),
said AS (UNPIVOT (SELECT item_id::VARCHAR AS item, {columns} FROM behavior.items) ON {names} INTO NAME field VALUE words),
words AS (
    SELECT DISTINCT code, field || ' ' || w.word AS word
    FROM said JOIN codes USING (item), LATERAL (SELECT unnest(string_split_regex(lower(words), '[^\pL\pN]+')) AS word) w
    WHERE w.word <> ''
),
telling AS (
    SELECT word, ln((SELECT count(*) FROM codes) / count(*)) AS rarity
    FROM words GROUP BY word HAVING count(*) BETWEEN 2 AND {most}
)
SELECT dense_rank() OVER (ORDER BY word) - 1 AS word, code::INTEGER AS item,
       (rarity / sqrt(sum(rarity ** 2) OVER (PARTITION BY code)))::FLOAT AS strength
FROM words JOIN telling USING (word) WHERE rarity > 0
ORDER BY word, item
