-- sql/functions/features.sql: the features of one version: of everyone at a moment, of one customer at a moment, of the pairs that a relation asks for
CREATE OR REPLACE MACRO ml.{features}(__sqlml_t) AS TABLE
{at_moment};
CREATE OR REPLACE MACRO ml.{features_for}(__sqlml_arg, __sqlml_t) AS TABLE
{of_pair};
CREATE OR REPLACE MACRO ml.{features_of}(__sqlml_relation) AS TABLE
{of_relation};
CREATE OR REPLACE MACRO ml.{in_reach}(__sqlml_t) AS (
    SELECT ml.in_reach(__sqlml_t, __sqlml_newest, {silence}) FROM (SELECT as_of AS __sqlml_newest FROM ml.latest));
