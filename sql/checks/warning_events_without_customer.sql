-- sql/checks/warning_events_without_customer.sql: events without a customer_id, which are left out
SELECT * FROM behavior.events WHERE customer_id IS NULL
