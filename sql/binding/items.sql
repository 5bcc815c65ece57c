-- sql/binding/items.sql: the items as they are
SELECT * FROM behavior.items
