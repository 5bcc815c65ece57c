-- sql/functions/residuals.sql: quantiles of what a predicted number missed on rows like it
CREATE OR REPLACE MACRO ml.{residuals}(__sqlml_value) AS
{quantiles}[1 + len(list_filter(({edges}::DOUBLE[]), lambda edge: __sqlml_value > edge))];
