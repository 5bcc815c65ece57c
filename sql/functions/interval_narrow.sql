-- sql/functions/interval_narrow.sql: the narrowest interval around a predicted number, of which many are 0, from what it missed on rows like it in the scale of the prediction
CREATE OR REPLACE MACRO ml.{between}(__sqlml_value, coverage) AS CASE WHEN __sqlml_value IS NOT NULL THEN
list_transform([{'r': ml.{residuals}(__sqlml_value), 'n': round(ml.coverage(coverage) * 200)::INT}], lambda e:
    list_transform(list_sort(list_transform(list_zip(e.r[:201 - e.n], e.r[1 + e.n:]), lambda ends: {
            'width': ends[2] - ends[1],
            'low': {whole}(greatest({least}, __sqlml_value + {scale} * ends[1])),
            'high': {whole}(greatest({least}, __sqlml_value + {scale} * ends[2]))}))[:1],
        lambda found: {'low': found.low, 'high': found.high})[1])[1] END;
