-- sql/functions/by_relation.sql: the answers beside the rows of a relation of customers and moments
CREATE OR REPLACE MACRO main.{function_at}(__sqlml_relation{argument}) AS TABLE
SELECT asking.* EXCLUDE (__sqlml_as_of), {udf}(f.__sqlml_x{given}) AS {main}
FROM (
    SELECT l.*
    FROM (SELECT as_of, {'__sqlml': true} AS {main} FROM ml.latest) __sqlml_newest, LATERAL (
        SELECT {moment} AS __sqlml_as_of, r.*
        FROM query_table(__sqlml_relation) r WHERE ml.refuse_own_column(typeof({main})) IS NULL) l
) asking
LEFT JOIN ml.{features_of}(__sqlml_relation) f
  ON asking.customer_id = f.__sqlml_key AND asking.__sqlml_as_of = f.__sqlml_as_of;
