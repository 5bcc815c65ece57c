-- sql/recommend/content.sql: what is said of items that there are, word by word, and how much each word tells of an item
WITH said AS (SELECT {item} AS item, unnest([{columns}]) AS said FROM behavior.items),
words AS (
    SELECT DISTINCT code, said.field || ' ' || w.word AS word
    FROM said JOIN temp.sqlml_items USING (item), LATERAL (SELECT unnest(string_split_regex(lower(said.words), '[^\pL\pN]+')) AS word) w
    WHERE w.word <> ''
),
telling AS (
    SELECT word, ln((SELECT count(*) FROM temp.sqlml_items) / count(*)) AS rarity
    FROM words GROUP BY word HAVING count(*) BETWEEN 2 AND {most}
)
SELECT dense_rank() OVER (ORDER BY word) - 1 AS word, code::INTEGER AS item,
       (rarity / sqrt(sum(rarity ** 2) OVER (PARTITION BY code)))::FLOAT AS strength
FROM words JOIN telling USING (word) WHERE rarity > 0
ORDER BY word, item
