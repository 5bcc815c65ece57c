-- sql/catalog/session.sql: what the SQL of trainings means does not follow settings of the user's
SET SESSION default_order = 'ASC';
SET SESSION default_null_order = 'NULLS_LAST';
SET SESSION default_collation = '';
SET SESSION integer_division = false;
SET SESSION Calendar = 'gregorian';
