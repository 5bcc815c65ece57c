-- sql/functions/interval.sql: an interval around a predicted number, from what it missed on rows like it in the scale of the prediction
CREATE OR REPLACE MACRO ml.{between}(__sqlml_value, coverage) AS CASE WHEN __sqlml_value IS NOT NULL THEN {
    'low': {whole}(greatest({least}, __sqlml_value + {scale} * ml.{residuals}(__sqlml_value)[1 + round((1 - ml.coverage(coverage)) * 100)::INT])),
    'high': {whole}(greatest({least}, __sqlml_value + {scale} * ml.{residuals}(__sqlml_value)[1 + round((1 + ml.coverage(coverage)) * 100)::INT]))} END;
