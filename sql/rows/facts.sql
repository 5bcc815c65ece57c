-- sql/rows/facts.sql: of one column: rows that are not NULL, different values, mean number of words
SELECT count({column}), count(DISTINCT {column}), coalesce(avg(len(string_split({column}::VARCHAR, ' '))), 0)
FROM {table}
