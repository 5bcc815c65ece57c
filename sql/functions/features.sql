-- sql/functions/features.sql: the features of one version: of everyone at a moment, and of the pairs that a relation asks for
CREATE OR REPLACE MACRO ml.{features}(__sqlml_t) AS TABLE
{at_moment};
CREATE OR REPLACE MACRO ml.{features_of}(__sqlml_relation) AS TABLE
{of_relation};
