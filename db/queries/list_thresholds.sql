-- How the threshold of each band moved: at most $2 decisions of each, spread evenly from the first to the last, in order.
-- $1 sweep, $2 how many. Called by store_list_thresholds.
WITH numbered AS (
    SELECT band_index, number, reached, threshold, decided_at,
           row_number() OVER (PARTITION BY band_index ORDER BY number) - 1 AS i,
           count(*) OVER (PARTITION BY band_index) AS n
    FROM besom.stop_decisions
    WHERE sweep_id = $1 AND reached > 0
)
SELECT band_index, reached, threshold, decided_at
FROM numbered
WHERE n <= $2::bigint OR i = 0
   OR i * ($2::bigint - 1) / (n - 1) <> (i - 1) * ($2::bigint - 1) / (n - 1)
ORDER BY band_index, number;
