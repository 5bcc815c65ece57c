-- sql/catalog/evaluate_rows.sql: answers and labels of rows; a row that has no value has no answer
SELECT * FROM (
    SELECT row_number() OVER () AS customer_id, NULL::TIMESTAMP AS as_of, {label} AS label, false AS is_active,
           ml.{answers}({row}) AS score
    FROM sqlml_arrow_asked {row}
    WHERE ({label}) IS NOT NULL
) WHERE score IS NOT NULL
