-- sql/functions/row_binary.sql: the probability of the positive class of a row, and what follows from it
CREATE OR REPLACE MACRO ml.{answers}(__sqlml_row) AS {formula};
CREATE OR REPLACE MACRO main.{score}(__sqlml_row) AS ml.{answers}(__sqlml_row);
CREATE OR REPLACE MACRO main.{class}(__sqlml_row) AS
[{negative}, {positive}][1 + (ml.{answers}(__sqlml_row) >= {threshold})::INT];
CREATE OR REPLACE MACRO main.{proba}(__sqlml_row) AS
list_transform([ml.{answers}(__sqlml_row)], lambda p: CASE WHEN p IS NOT NULL THEN map({levels}, [1 - p, p]) END)[1];
CREATE OR REPLACE MACRO main.{interval}(__sqlml_row, coverage := 0.9) AS
list_transform([ml.{answers}(__sqlml_row)], lambda p: CASE WHEN p IS NOT NULL THEN list_concat(
    CASE WHEN p <= {quantiles}[1][1 + ceil(ml.coverage(coverage) * 200)::INT] THEN [{negative}] ELSE [] END,
    CASE WHEN 1 - p <= {quantiles}[1][1 + ceil(ml.coverage(coverage) * 200)::INT] THEN [{positive}] ELSE [] END) END)[1];
CREATE OR REPLACE MACRO ml.{predict}(__sqlml_row) AS {
    {predicted}: [{negative}, {positive}][1 + (ml.{answers}(__sqlml_row) >= {threshold})::INT],
    {probability}: ml.{answers}(__sqlml_row)};
CREATE OR REPLACE MACRO main.{explain}(__sqlml_row) AS ml.{explanation}(__sqlml_row);
