-- sql/functions/row_value.sql: the number predicted for a row, and an interval around it
CREATE OR REPLACE MACRO ml.{inputs}(__sqlml_row) AS {fields};
CREATE OR REPLACE MACRO ml.{answers}(__sqlml_row) AS {formula};
CREATE OR REPLACE MACRO main.{main}(__sqlml_row) AS ml.{answers}(__sqlml_row);
CREATE OR REPLACE MACRO ml.{residuals}(__sqlml_value) AS
{quantiles}[1 + len(list_filter(({edges}::DOUBLE[]), lambda edge: __sqlml_value > edge))];
CREATE OR REPLACE MACRO main.{interval}(__sqlml_row, coverage := 0.9) AS {
    'low': greatest({least}, ml.{answers}(__sqlml_row)
        + ml.{residuals}(ml.{answers}(__sqlml_row))[1 + round((1 - ml.coverage(coverage)) * 100)::INT]),
    'high': ml.{answers}(__sqlml_row)
        + ml.{residuals}(ml.{answers}(__sqlml_row))[1 + round((1 + ml.coverage(coverage)) * 100)::INT]};
CREATE OR REPLACE MACRO ml.{predict}(__sqlml_row) AS {{predicted}: ml.{answers}(__sqlml_row)};
