-- sql/binding/asked_pair.sql: one customer and one moment; where they are columns, each pair of them, whatever their names
SELECT __sqlml_key AS customer_id, __sqlml_as_of AS as_of
FROM (SELECT __sqlml_arg AS __sqlml_key, __sqlml_t::TIMESTAMP AS __sqlml_as_of)
