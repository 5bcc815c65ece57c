-- sql/checks/warning_no_amount.sql: events, none of which has a value in amount: is the column, or the path, the right one?          needs: amount
SELECT * FROM behavior.events WHERE (SELECT count(amount) FROM behavior.events) = 0
