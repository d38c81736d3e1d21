-- Cohorts at the rungs that their runs have got to, the newest $2 of them in order of cohort and rung: first ordinal,
-- bracket, rung, runs awaited, come with a value (but for those that an earlier verdict let go), ended before, paused now,
-- promoted, stopped, threshold, time of the verdict. $1 sweep, $2 how many. Called by store_list_cohorts.
WITH come AS (
    SELECT d.cohort, d.bracket, d.band_index, d.band, d.run_id, max(d.number) AS number, max(d.planned) AS planned
    FROM besom.stop_decisions d
    WHERE d.sweep_id = $1 AND d.cohort IS NOT NULL
      AND NOT EXISTS (SELECT FROM besom.cohort_verdicts o
                      WHERE o.sweep_id = $1 AND o.run_id = d.run_id AND o.band_index < d.band_index AND NOT o.promoted)
    GROUP BY d.cohort, d.bracket, d.band_index, d.band, d.run_id
), newest AS (
    SELECT run_id, max(band_index) AS band_index FROM come GROUP BY run_id
), rung AS (
    SELECT c.cohort, c.bracket, c.band_index, c.band, count(*) AS reached,
           (array_agg(c.planned ORDER BY c.number DESC))[1] AS planned,
           count(*) FILTER (WHERE r.state = 'paused' AND n.band_index = c.band_index) AS paused
    FROM come c
    JOIN newest n ON n.run_id = c.run_id
    LEFT JOIN besom.runs r ON r.sweep_id = $1 AND r.run_id = c.run_id
    GROUP BY c.cohort, c.bracket, c.band_index, c.band
), verdict AS (
    SELECT cohort, bracket, band_index, band, count(*) AS planned, count(*) FILTER (WHERE promoted) AS promoted,
           count(*) FILTER (WHERE NOT promoted AND value <> 'NaN') AS stopped, max(threshold) AS threshold,
           max(decided_at) AS decided_at
    FROM besom.cohort_verdicts
    WHERE sweep_id = $1
    GROUP BY cohort, bracket, band_index, band
), all_rungs AS (
    SELECT coalesce(v.cohort, g.cohort) AS cohort, coalesce(v.bracket, g.bracket) AS bracket,
           coalesce(v.band_index, g.band_index) AS band_index, coalesce(v.band, g.band) AS band,
           coalesce(v.planned, g.planned) AS planned, coalesce(g.reached, 0) AS reached, coalesce(g.paused, 0) AS paused,
           coalesce(v.promoted, 0) AS promoted, coalesce(v.stopped, 0) AS stopped, v.threshold, v.decided_at
    FROM rung g
    FULL JOIN verdict v ON v.cohort = g.cohort AND v.band_index = g.band_index
), ended AS (
    SELECT a.cohort, a.band_index, count(DISTINCT e.ordinal) AS runs
    FROM all_rungs a
    JOIN besom.rung_values e ON e.sweep_id = $1 AND e.kind = 'ended'
        AND e.ordinal >= a.cohort AND (a.decided_at IS NOT NULL OR e.ordinal < a.cohort + a.planned
                                       OR EXISTS (SELECT FROM all_rungs b
                                                  WHERE b.cohort = a.cohort AND b.band_index < a.band_index))
    WHERE NOT EXISTS (SELECT FROM come c WHERE c.cohort = a.cohort AND c.band_index = a.band_index AND c.run_id = e.run_id)
      AND (EXISTS (SELECT FROM besom.cohort_verdicts v
                   WHERE v.sweep_id = $1 AND v.cohort = a.cohort AND v.ordinal = e.ordinal
                     AND (v.band_index = a.band_index OR (v.band_index = a.band_index - 1 AND v.promoted)))
           OR (NOT EXISTS (SELECT FROM all_rungs b WHERE b.cohort = a.cohort AND b.band_index < a.band_index)
               AND e.ordinal < a.cohort + a.planned))
    GROUP BY a.cohort, a.band_index
), last AS (
    SELECT a.*, coalesce(e.runs, 0) AS ended
    FROM all_rungs a
    LEFT JOIN ended e ON e.cohort = a.cohort AND e.band_index = a.band_index
    ORDER BY a.cohort DESC, a.band_index DESC
    LIMIT $2
)
SELECT cohort, bracket, band, planned, reached, ended, paused, promoted, stopped, threshold, decided_at
FROM last
ORDER BY cohort, band_index;
