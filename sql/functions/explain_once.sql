-- sql/functions/explain_once.sql: the explanation of features that a subquery gives: it is asked once, and NULL stays NULL
CREATE OR REPLACE MACRO ml.{explanation_once}(__sqlml_x) AS
list_transform([__sqlml_x], lambda __sqlml_once: ml.{explanation}(__sqlml_once))[1];
