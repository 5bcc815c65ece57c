-- sql/checks/note_refunds.sql: events with a negative amount, taken for refunds or cancellations          needs: amount
SELECT * FROM behavior.events WHERE amount < 0
