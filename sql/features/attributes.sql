-- sql/features/attributes.sql: the customer attributes that the model may use, as they stood at as_of          needs: customers
SELECT * FROM customers
