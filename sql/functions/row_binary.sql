-- sql/functions/row_binary.sql: the probability of the positive class of a row, and what follows from it
CREATE OR REPLACE MACRO ml.{answers}(__sqlml_row) AS {formula};
CREATE OR REPLACE MACRO main.{score}(__sqlml_row) AS ml.{answers}(__sqlml_row);
CREATE OR REPLACE MACRO main.{class}(__sqlml_row) AS
CASE WHEN ml.{answers}(__sqlml_row) >= {threshold} THEN {positive} ELSE {negative} END;
CREATE OR REPLACE MACRO main.{proba}(__sqlml_row) AS
map({levels}, [1 - ml.{answers}(__sqlml_row), ml.{answers}(__sqlml_row)]);
CREATE OR REPLACE MACRO main.{interval}(__sqlml_row, coverage := 0.9) AS
list_concat(CASE WHEN ml.{answers}(__sqlml_row) <= {quantiles}[1][1 + ceil(ml.coverage(coverage) * 200)::INT] THEN [{negative}] ELSE [] END,
            CASE WHEN 1 - ml.{answers}(__sqlml_row) <= {quantiles}[1][1 + ceil(ml.coverage(coverage) * 200)::INT] THEN [{positive}] ELSE [] END);
CREATE OR REPLACE MACRO ml.{predict}(__sqlml_row) AS {
    {predicted}: CASE WHEN ml.{answers}(__sqlml_row) >= {threshold} THEN {positive} ELSE {negative} END,
    {probability}: ml.{answers}(__sqlml_row)};
CREATE OR REPLACE MACRO main.{explain}(__sqlml_row) AS ml.{explanation}(__sqlml_row);
