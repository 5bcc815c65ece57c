-- sql/examples/training_customers.sql: take the held-out customers away from the training examples
DELETE FROM {training} WHERE hash('test', customer_id::VARCHAR) % $parts = 0
