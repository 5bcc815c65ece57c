-- sql/functions/interval_once.sql: the interval around the answer to features that a subquery gives: it is asked once
CREATE OR REPLACE MACRO ml.{between_once}(__sqlml_x, coverage) AS
list_transform([{udf}(__sqlml_x)], lambda v: ml.{between}(v, coverage))[1];
