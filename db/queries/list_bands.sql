-- Bands of a sweep that a run has reached, in order, with what was decided there. A run that is worse than the threshold
-- and goes on was spared: because too few had got there, because of grace, or because of max_stops. Thresholds are those
-- of decisions that compared at all. $1 sweep, $2 larger is better, $3 runs that must have got there (0 = no matter),
-- $4 grace in rows (0 = none). Called by store_list_bands.
WITH per_run AS (
    SELECT v.band_index, v.band, v.run_id,
           count(d.number) > 0 AS decided,
           coalesce(bool_or(d.stop), false) AS stop,
           coalesce(bool_or(NOT d.stop AND CASE WHEN $2 THEN d.compared < d.threshold ELSE d.compared > d.threshold END),
                    false) AS spared,
           coalesce(min(d.reached), 0) AS reached
    FROM besom.rung_values v
    LEFT JOIN besom.stop_decisions d ON d.sweep_id = v.sweep_id AND d.number = v.number
    WHERE v.sweep_id = $1 AND v.kind = 'value'
    GROUP BY v.band_index, v.band, v.run_id
), thresholds AS (
    SELECT band_index, count(*) AS n,
           (array_agg(threshold ORDER BY number))[1] AS first,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY threshold) AS median,
           (array_agg(threshold ORDER BY number DESC))[1] AS last
    FROM besom.stop_decisions
    WHERE sweep_id = $1 AND reached > 0
    GROUP BY band_index
)
SELECT p.band_index, p.band, count(*), count(*) FILTER (WHERE p.decided AND NOT p.stop), count(*) FILTER (WHERE p.stop),
       count(*) FILTER (WHERE p.stop AND r.state IN ('finished', 'failed', 'killed', 'crashed')),
       count(*) FILTER (WHERE p.spared AND NOT p.stop AND p.reached < $3::bigint),
       count(*) FILTER (WHERE p.spared AND NOT p.stop AND p.reached >= $3::bigint AND p.band < $4::bigint),
       count(*) FILTER (WHERE p.spared AND NOT p.stop AND p.reached >= $3::bigint AND p.band >= $4::bigint),
       coalesce(max(t.n), 0), max(t.first), max(t.median), max(t.last)
FROM per_run p
LEFT JOIN thresholds t ON t.band_index = p.band_index
LEFT JOIN besom.runs r ON r.sweep_id = $1 AND r.run_id = p.run_id
GROUP BY p.band_index, p.band
ORDER BY p.band_index;
