-- sql/functions/features.sql: the features of one version: of everyone at a moment, and of the pairs that a relation asks for
CREATE OR REPLACE VIEW ml.latest AS
SELECT max(event_time)::TIMESTAMP AS as_of FROM behavior.events
WHERE event_time <= current_timestamp AT TIME ZONE 'UTC' AND customer_id IS NOT NULL;
CREATE OR REPLACE MACRO ml.{features}(__sqlml_t) AS TABLE
{at_moment};
CREATE OR REPLACE MACRO ml.{features_of}(__sqlml_relation) AS TABLE
{of_relation};
