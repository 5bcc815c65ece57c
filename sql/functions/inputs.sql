-- sql/functions/inputs.sql: the inputs of a model of rows as one struct
CREATE OR REPLACE MACRO ml.{inputs}(__sqlml_row) AS {fields};
