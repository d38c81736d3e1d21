-- Rung values of a sweep after a number, in order, with ends and closings. $1 sweep, $2 number, $3 limit.
-- Called by store_list_rung_values.
SELECT v.sweep_id, v.run_id, v.number, v.attempt, v.band_index, v.band, v.value, v.best, coalesce(v.mean, v.value), v.kind,
       coalesce(v.ordinal, r.ordinal, -1), (extract(epoch FROM clock_timestamp() - v.recorded_at) * 1000000)::bigint
FROM besom.rung_values v
LEFT JOIN besom.runs r ON v.ordinal IS NULL AND r.sweep_id = v.sweep_id AND r.run_id = v.run_id
WHERE v.sweep_id = $1 AND v.number > $2
ORDER BY v.number
LIMIT $3;
