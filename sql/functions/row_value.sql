-- sql/functions/row_value.sql: the number predicted for a row, and an interval around it
CREATE OR REPLACE MACRO ml.{answers}(__sqlml_row) AS {formula};
CREATE OR REPLACE MACRO main.{main}(__sqlml_row) AS ml.{answers}(__sqlml_row);
CREATE OR REPLACE MACRO main.{interval}(__sqlml_row, coverage := 0.9) AS ml.{between}(ml.{answers}(__sqlml_row), coverage);
CREATE OR REPLACE MACRO ml.{predict}(__sqlml_row) AS {{predicted}: ml.{answers}(__sqlml_row)};
CREATE OR REPLACE MACRO main.{explain}(__sqlml_row) AS ml.{explanation}(__sqlml_row);
