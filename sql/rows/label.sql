-- sql/rows/label.sql: rows that have a label, and how many different ones; a number that is not finite is none
SELECT count(v), count(DISTINCT v)
FROM (SELECT CASE WHEN lower({label}::VARCHAR) IN ('nan', 'inf', '-inf', 'infinity', '-infinity') AND {is_number} THEN NULL ELSE {label} END AS v FROM {rows})
