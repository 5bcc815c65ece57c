-- sql/functions/row_segment.sql: the number and the name of the segment that a row is nearest to
CREATE OR REPLACE MACRO ml.{answers}(__sqlml_row) AS {formula};
CREATE OR REPLACE MACRO main.{main}(__sqlml_row) AS ml.{answers}(__sqlml_row);
CREATE OR REPLACE MACRO main.{name}(__sqlml_row) AS {names}[list_position({numbers}, ml.{answers}(__sqlml_row))];
CREATE OR REPLACE MACRO ml.{predict}(__sqlml_row) AS {
    'predicted_segment': ml.{answers}(__sqlml_row),
    'predicted_segment_name': {names}[list_position({numbers}, ml.{answers}(__sqlml_row))]};
