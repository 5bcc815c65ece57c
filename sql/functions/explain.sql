-- sql/functions/explain.sql: each column of a row with its value and its effect on the output, the largest effect first
CREATE OR REPLACE MACRO main.{explain}(__sqlml_row) AS
list_transform(
    list_reverse_sort(list_transform(
        list_zip({sources}, {values}, {udf}(ml.{inputs}(__sqlml_row))),
        lambda e: {'size': abs(e[3]), 'feature': e[1], 'value': e[2], 'effect': e[3]})),
    lambda e: {'feature': e.feature, 'value': e.value, 'effect': e.effect});
