-- sql/report/calibration.sql: ml.calibration of one version, with Wilson's 90 % interval of the rate
WITH binned AS (
    SELECT label, score, ntile(10) OVER (ORDER BY score, key) AS bin FROM ml.predictions WHERE version_id = $1
), rates AS (
    SELECT bin, count(*) AS n, avg(score) AS mean_score, avg(label) AS observed_rate, 1.645 ^ 2 / n AS z2 FROM binned GROUP BY bin
), centred AS (
    SELECT *, (observed_rate + z2 / 2) / (1 + z2) AS centre,
           sqrt(z2 * observed_rate * (1 - observed_rate) + z2 ^ 2 / 4) / (1 + z2) AS half
    FROM rates
)
SELECT bin, n, mean_score, observed_rate, centre - half AS low, centre + half AS high FROM centred ORDER BY bin
