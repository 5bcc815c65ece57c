-- sql/functions/recommend.sql: recommendations by customer and pair by pair, and what is like an item
CREATE OR REPLACE MACRO ml.{among}(__sqlml_x) AS {candidates};
CREATE OR REPLACE MACRO ml.{answers}(__sqlml_x, __sqlml_k) AS
{udf_recommend}(__sqlml_x, {'k': (__sqlml_k)::INTEGER, 'among': ml.{among}(0)})::STRUCT(item_id {item_type}, score FLOAT, reason VARCHAR)[];
CREATE OR REPLACE MACRO main.{main}(__sqlml_arg {parameter_type}, k BIGINT := 10) AS ml.{answers}((
    SELECT __sqlml_x FROM ml.{features}((SELECT as_of FROM ml.latest)) WHERE __sqlml_key = TRY_CAST(__sqlml_arg AS {key_type})), k),
(__sqlml_arg {parameter_type}, __sqlml_t TIMESTAMP) AS ml.{answers}((
    SELECT __sqlml_x FROM ml.{features_for}(TRY_CAST(__sqlml_arg AS {key_type}), __sqlml_t) WHERE ml.{in_reach}(__sqlml_t)), 10),
(__sqlml_arg {parameter_type}, k BIGINT, __sqlml_t TIMESTAMP) AS ml.{answers}((
    SELECT __sqlml_x FROM ml.{features_for}(TRY_CAST(__sqlml_arg AS {key_type}), __sqlml_t) WHERE ml.{in_reach}(__sqlml_t)), k);
CREATE OR REPLACE MACRO main.{score}(__sqlml_arg {parameter_type}, __sqlml_item {item_parameter}) AS {udf_affinity}((
    SELECT __sqlml_x FROM ml.{features}((SELECT as_of FROM ml.latest)) WHERE __sqlml_key = TRY_CAST(__sqlml_arg AS {key_type})),
    (__sqlml_item)::VARCHAR),
(__sqlml_arg {parameter_type}, __sqlml_item {item_parameter}, __sqlml_t TIMESTAMP) AS {udf_affinity}((
    SELECT __sqlml_x FROM ml.{features_for}(TRY_CAST(__sqlml_arg AS {key_type}), __sqlml_t) WHERE ml.{in_reach}(__sqlml_t)),
    (__sqlml_item)::VARCHAR);
CREATE OR REPLACE MACRO main.{similar}(__sqlml_item {item_parameter}, k BIGINT := 10) AS TABLE
SELECT l.found.item_id, l.found.score
FROM (SELECT unnest({udf_similar}((__sqlml_item)::VARCHAR, (k)::INTEGER)::STRUCT(item_id {item_type}, score FLOAT)[]) AS found) l;
