-- sql/checks/warning_quantity_negative.sql: events with a negative quantity and a positive amount: cancelled lines that count as revenue? An amount of price * quantity takes them off          needs: amount, quantity
SELECT * FROM behavior.events WHERE quantity < 0 AND amount > 0
