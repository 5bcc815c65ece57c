-- sql/checks/warning_customers_without_events.sql: customers without any event, whose scores are NULL          needs: customers
SELECT DISTINCT customer_id FROM behavior.customers ANTI JOIN behavior.events USING (customer_id)
