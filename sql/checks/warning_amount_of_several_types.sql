-- sql/checks/warning_amount_of_several_types.sql: event types carry amounts, and lifetime value adds up all of them: name the one that is a purchase, e.g. active_event = 'purchase'          needs: event_type, amount
SELECT event_type, count(*) AS n_events, sum(amount) AS amount
FROM behavior.events WHERE amount > 0 GROUP BY event_type QUALIFY count(*) OVER () > 1 ORDER BY n_events DESC
