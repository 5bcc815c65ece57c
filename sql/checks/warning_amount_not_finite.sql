-- sql/checks/warning_amount_not_finite.sql: amounts that are NaN or infinite          needs: amount
SELECT * FROM behavior.events WHERE NOT isfinite(amount::DOUBLE)
