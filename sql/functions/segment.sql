-- sql/functions/segment.sql: the number of a segment from features, its name, and who moved from which to which between two moments
CREATE OR REPLACE MACRO ml.{answers}(__sqlml_x) AS {formula};
CREATE OR REPLACE MACRO ml.{name_once}(__sqlml_x) AS
list_transform([ml.{answers}(__sqlml_x)], lambda v: {names}[list_position({numbers}, v)])[1];
CREATE OR REPLACE MACRO ml.{moves}(__sqlml_t, __sqlml_u) AS TABLE
SELECT a.segment AS from_segment, {names}[list_position({numbers}, a.segment)] AS from_name,
       b.segment AS to_segment, {names}[list_position({numbers}, b.segment)] AS to_name, count(*) AS customers
FROM (SELECT __sqlml_key, ml.{answers}(__sqlml_x) AS segment FROM ml.{features}(__sqlml_t) WHERE ml.{in_reach}(__sqlml_t)) a
FULL JOIN (SELECT __sqlml_key, ml.{answers}(__sqlml_x) AS segment FROM ml.{features}(__sqlml_u) WHERE ml.{in_reach}(__sqlml_u)) b ON a.__sqlml_key = b.__sqlml_key
GROUP BY a.segment, b.segment;
