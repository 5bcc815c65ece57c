-- sql/rows/draw.sql: keep a share of the rows that are learnt from, drawn by what stands in them; the others stay
DELETE FROM {rows} {row}
WHERE {known} AND hash((SELECT __sqlml_content FROM (SELECT {row}.* EXCLUDE (__sqlml_number)) __sqlml_content)::VARCHAR, $seed) >= $share * 2.0 ** 64
