-- sql/rows/label.sql: rows that have a label, and how many different ones
SELECT count({label}), count(DISTINCT {label}) FROM {rows}
