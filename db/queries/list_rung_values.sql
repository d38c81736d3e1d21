-- Rung values of a sweep after a number, in order. $1 sweep, $2 number, $3 limit. Called by store_list_rung_values.
SELECT sweep_id, run_id, number, attempt, band_index, band, value, best, coalesce(mean, value)
FROM besom.rung_values
WHERE sweep_id = $1 AND number > $2
ORDER BY number
LIMIT $3;
