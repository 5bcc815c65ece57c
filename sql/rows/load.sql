-- sql/rows/load.sql: the rows of a query, numbered as they come
CREATE OR REPLACE TEMP TABLE {table} AS
SELECT row_number() OVER () AS __sqlml_number, * FROM {stream}
