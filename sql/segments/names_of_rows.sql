-- sql/segments/names_of_rows.sql: a name for each segment from the two columns that it is furthest off in
WITH ranked AS (
    SELECT segment, CASE WHEN contains(feature, ' = ') THEN CASE WHEN z > 0 THEN '' ELSE 'not ' END WHEN z > 0 THEN 'high ' ELSE 'low ' END || replace(feature, '_', ' ') AS word, abs(z) AS off,
           row_number() OVER (PARTITION BY segment ORDER BY abs(z) DESC, place) AS place
    FROM sqlml_profiles
), named AS (
    SELECT segment, coalesce(string_agg(word, ', ' ORDER BY place) FILTER (place <= 2 AND off >= .25), 'average') AS name
    FROM ranked GROUP BY segment
)
SELECT segment, name || CASE WHEN count(*) OVER (PARTITION BY name) > 1 THEN ' ' || row_number() OVER (PARTITION BY name ORDER BY segment) ELSE '' END AS name
FROM named
