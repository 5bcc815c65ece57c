-- sql/examples/test_customers.sql: hold out one part of the customers at the newest cut-off
CREATE OR REPLACE TEMP TABLE {test} AS
FROM {training} WHERE hash('test', customer_id::VARCHAR) % $parts = 0 AND as_of = $newest
