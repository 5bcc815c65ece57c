-- sql/examples/usual.sql: the most frequent label, how many examples there are, and how many have another label
SELECT mode(label)::DOUBLE, count(*), count_if(label IS DISTINCT FROM (SELECT mode(label) FROM {table})) FROM {table}
