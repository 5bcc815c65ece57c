-- sql/encoder/numbers.sql: one row a number column of `numbers`: how many are known, moments of the signed logarithm, quantiles
UNPIVOT (
    SELECT struct_pack(
        known     := count(COLUMNS(*)),
        lowest    := min(COLUMNS(*)),
        highest   := max(COLUMNS(*)),
        mean      := avg(sign(COLUMNS(*)) * ln(1 + abs(COLUMNS(*)))),
        deviation := stddev_pop(sign(COLUMNS(*)) * ln(1 + abs(COLUMNS(*)))),
        edges     := quantile_cont(COLUMNS(*), $fractions::DOUBLE[]))
    FROM {numbers})
ON * INTO NAME name VALUE stats
