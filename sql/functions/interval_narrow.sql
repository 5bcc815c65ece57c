-- sql/functions/interval_narrow.sql: the narrowest interval around a predicted spend, of which many are 0, from what it missed on rows like it
CREATE OR REPLACE MACRO ml.{residuals}(__sqlml_value) AS
{quantiles}[1 + len(list_filter(({edges}::DOUBLE[]), lambda edge: __sqlml_value > edge))];
CREATE OR REPLACE MACRO ml.{between}(__sqlml_value, coverage) AS CASE WHEN __sqlml_value IS NOT NULL THEN
list_transform([{'r': ml.{residuals}(__sqlml_value), 'n': round(ml.coverage(coverage) * 200)::INT}], lambda e:
    list_transform(list_sort(list_transform(range(0, 201 - e.n), lambda k: {
            'width': e.r[k + 1 + e.n] - e.r[k + 1],
            'low': greatest({least}, __sqlml_value + e.r[k + 1]),
            'high': greatest({least}, __sqlml_value + e.r[k + 1 + e.n])}))[:1],
        lambda found: {'low': found.low, 'high': found.high})[1])[1] END;
