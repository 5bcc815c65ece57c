-- sql/functions/by_customer.sql: one answer by customer: today, or at one moment, which may be a column
CREATE OR REPLACE MACRO main.{function}(__sqlml_arg {parameter_type}{argument}) AS {answer}((
    SELECT __sqlml_x FROM ml.{features}((SELECT as_of FROM ml.latest))
    WHERE __sqlml_key = TRY_CAST(__sqlml_arg AS {key_type})){given}),
(__sqlml_arg {parameter_type}, __sqlml_t TIMESTAMP{argument}) AS {answer}((
    SELECT __sqlml_x FROM ml.{features_for}(TRY_CAST(__sqlml_arg AS {key_type}), __sqlml_t)
    WHERE ml.{in_reach}(__sqlml_t)){given});
