-- sql/functions/inputs.sql: the inputs of a model of rows as one struct, NULL of a row that has nothing the model reads
CREATE OR REPLACE MACRO ml.{inputs}(__sqlml_row) AS CASE WHEN {known} THEN {fields} END;
