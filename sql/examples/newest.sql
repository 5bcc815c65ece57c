-- sql/examples/newest.sql: the examples of the newest cut-off; a number is a label above the average or not
(SELECT * REPLACE (label::DOUBLE > average AS label) FROM (
    SELECT *, CASE WHEN typeof(label) = 'BOOLEAN' THEN 0.5 ELSE avg(label::DOUBLE) OVER () END AS average
    FROM {table} WHERE as_of = (SELECT max(as_of) FROM {table} WHERE exposure > 0)))
