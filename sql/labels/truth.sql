-- sql/labels/truth.sql: a target that is true or false; what is not known to be true is false
SELECT coalesce(({expression}
), false) AS label
FROM future
