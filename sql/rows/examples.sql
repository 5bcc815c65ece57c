-- sql/rows/examples.sql: rows with a label, held out or not, and in half a fold (2f and 2f + 1 make fold f); equal rows stay together, classes are spread evenly
CREATE OR REPLACE TEMP TABLE {examples} AS
WITH labelled AS (
    SELECT {row}.* EXCLUDE (__sqlml_number), __sqlml_number, ({label})::DOUBLE AS __sqlml_label, {stratum} AS __sqlml_stratum,
           hash(({content})::VARCHAR, $seed) AS __sqlml_hash
    FROM {rows} {row}
), placed AS (
    SELECT *, dense_rank() OVER (PARTITION BY __sqlml_stratum ORDER BY __sqlml_hash) AS __sqlml_place
    FROM labelled WHERE isfinite(__sqlml_label)
), held AS (
    SELECT *, coalesce({is_test}, false) AS __sqlml_test FROM placed
)
SELECT * EXCLUDE (__sqlml_stratum, __sqlml_hash, __sqlml_place, __sqlml_turn),
       (__sqlml_turn % $folds * 2 + __sqlml_turn // $folds % 2)::BIGINT AS __sqlml_fold
FROM (SELECT *, dense_rank() OVER (PARTITION BY __sqlml_test, __sqlml_stratum ORDER BY __sqlml_hash) AS __sqlml_turn FROM held)
