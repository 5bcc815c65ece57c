-- sql/demo/behavior.sql: the generated shop as behaviour tables
CREATE SCHEMA IF NOT EXISTS behavior;
CREATE OR REPLACE VIEW behavior.events AS
SELECT customer_id, happened_at AS event_time, action AS event_type, product_id AS item_id, revenue AS amount FROM main.shop_events;
CREATE OR REPLACE VIEW behavior.customers AS FROM main.shop_customers;
CREATE OR REPLACE VIEW behavior.items AS SELECT product_id AS item_id, category, price FROM main.shop_items;
