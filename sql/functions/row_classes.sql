-- sql/functions/row_classes.sql: the class of a row, and the probabilities that it follows from
CREATE OR REPLACE MACRO ml.{answers}(__sqlml_row) AS {formula};
CREATE OR REPLACE MACRO main.{main}(__sqlml_row) AS
{levels}[list_position(ml.{answers}(__sqlml_row), list_max(ml.{answers}(__sqlml_row)))];
CREATE OR REPLACE MACRO main.{proba}(__sqlml_row) AS map({levels}, ml.{answers}(__sqlml_row));
CREATE OR REPLACE MACRO main.{interval}(__sqlml_row, coverage := 0.9) AS
list_transform([ml.{answers}(__sqlml_row)], lambda p: CASE WHEN p IS NOT NULL THEN list_transform(
    list_filter(list_zip({levels}, p), lambda pair: 1 - pair[2] <= {quantiles}[1][1 + ceil(ml.coverage(coverage) * 200)::INT]),
    lambda pair: pair[1]) END)[1];
CREATE OR REPLACE MACRO ml.{predict}(__sqlml_row) AS {
    {predicted}: {levels}[list_position(ml.{answers}(__sqlml_row), list_max(ml.{answers}(__sqlml_row)))],
    {probability}: list_max(ml.{answers}(__sqlml_row))};
CREATE OR REPLACE MACRO main.{explain}(__sqlml_row) AS ml.{explanation}(__sqlml_row);
