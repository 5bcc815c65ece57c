-- sql/mapping/written.sql: whether every time of a file is written in ISO 8601, without and with an offset, so that DuckDB's own type is right
SELECT bool_and(regexp_full_match(x, '{day}([T ]{hour})?')),
       bool_and(regexp_full_match(x, '{day}[T ]{hour}(Z|[+-]\d\d(:?\d\d)?)'))
FROM ({values})
