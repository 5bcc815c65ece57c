-- sql/rows/draw.sql: a share of the rows, drawn by chance, numbered anew
CREATE OR REPLACE TEMP TABLE {rows} AS
SELECT * REPLACE (row_number() OVER (ORDER BY __sqlml_number) AS __sqlml_number)
FROM {rows} WHERE hash('example', __sqlml_number) < $share * 2.0 ** 64
