-- sql/labels/number.sql: a target that is a number; one that is NULL or not finite leaves the customer out
SELECT CASE WHEN isfinite(value) THEN value END AS label
FROM (SELECT ({expression}
)::DOUBLE AS value FROM future)
