-- sql/checks/warning_amount_not_finite.sql: amounts that are NaN, infinite or beyond 1e15, which count as not known          needs: amount
SELECT * FROM behavior.events WHERE NOT abs(amount::DOUBLE) <= 1e15
