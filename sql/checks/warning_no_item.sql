-- sql/checks/warning_no_item.sql: events, none of which has a value in item_id: is the column, or the path, the right one?          needs: item_id
SELECT * FROM behavior.events WHERE (SELECT count(item_id) FROM behavior.events) = 0
