-- sql/functions/score.sql: a probability by customer: today, at one moment, or beside the rows of a relation
CREATE OR REPLACE MACRO main.{function}(__sqlml_arg {parameter_type}) AS {udf}((
    SELECT __sqlml_x FROM ml.{features}((SELECT as_of FROM ml.latest))
    WHERE __sqlml_key = TRY_CAST(__sqlml_arg AS {key_type}))),
(__sqlml_arg {parameter_type}, __sqlml_t TIMESTAMP) AS {udf}((
    SELECT __sqlml_x FROM ml.{features}(__sqlml_t)
    WHERE __sqlml_key = TRY_CAST(__sqlml_arg AS {key_type})));
CREATE OR REPLACE MACRO main.{function_at}(__sqlml_relation) AS TABLE
SELECT asking.* EXCLUDE (__sqlml_as_of), {udf}(f.__sqlml_x) AS {function}
FROM (
    SELECT l.*
    FROM ml.latest newest, LATERAL (
        SELECT r.*, coalesce(ml.utc(as_of), newest.as_of) AS __sqlml_as_of
        FROM query_table(__sqlml_relation) r) l
) asking
LEFT JOIN ml.{features_of}(__sqlml_relation) f
  ON asking.customer_id = f.__sqlml_key AND asking.__sqlml_as_of = f.__sqlml_as_of;
