-- sql/functions/explain.sql: each input of a row with its value and its effect on the output, the largest effect first
CREATE OR REPLACE MACRO {function}(__sqlml_row) AS
CASE WHEN {known} THEN list_transform(
    list_reverse_sort(list_transform(
        list_zip({names}, {values}, {effects}),
        lambda e: {'size': abs(e[3]), 'feature': e[1], 'value': e[2], 'effect': e[3]})),
    lambda e: {'feature': e['feature'], 'value': e['value'], 'effect': e['effect']}) END;
