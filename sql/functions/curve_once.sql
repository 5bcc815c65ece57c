-- sql/functions/curve_once.sql: what is expected of a customer period by period, from features that a subquery gives: it is asked once
CREATE OR REPLACE MACRO ml.{curve_once}(__sqlml_x) AS
list_transform([{udf}(__sqlml_x)], lambda v: CASE WHEN v IS NOT NULL THEN list_transform({periods}, lambda i: {
    'period': i,
    'until_days': ({ends}::DOUBLE[])[i],
    'orders': v[4 * i - 3],
    'spend': v[4 * i - 2],
    'discounted': v[4 * i - 2] * ({discounts}::DOUBLE[])[i],
    'p_no_order': v[4 * i - 1],
    'p_still_buying': v[4 * i]}) END)[1];
