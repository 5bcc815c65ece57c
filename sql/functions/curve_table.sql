-- sql/functions/curve_table.sql: what is expected of a customer, a row a period
CREATE OR REPLACE MACRO main.{function}(__sqlml_arg {parameter_type}) AS TABLE
(SELECT unnest(main.{function}(__sqlml_arg), recursive := true)),
(__sqlml_arg {parameter_type}, __sqlml_t TIMESTAMP) AS TABLE
(SELECT unnest(main.{function}(__sqlml_arg, __sqlml_t), recursive := true));
