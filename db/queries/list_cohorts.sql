-- Cohorts at the rungs that their runs have got to, the newest $2 of them in order of cohort and rung: first ordinal,
-- bracket, rung, runs awaited, come with a value (but for those that an earlier verdict let go), ended before, paused now,
-- promoted, stopped, threshold, time of the verdict. Awaited are those that a verdict is about, those that the one on the
-- rung below promoted, and at its first rung the whole cohort. $1 sweep, $2 how many. Called by store_list_cohorts.
WITH come AS (
    SELECT d.cohort, d.bracket, d.band_index, d.band, d.run_id, max(d.number) AS number, max(d.planned) AS planned,
           d.band_index = max(d.band_index) OVER (PARTITION BY d.run_id) AS is_newest
    FROM besom.stop_decisions d
    WHERE d.sweep_id = $1 AND d.cohort IS NOT NULL
      AND NOT EXISTS (SELECT FROM besom.cohort_verdicts o
                      WHERE o.sweep_id = $1 AND o.run_id = d.run_id AND o.band_index < d.band_index AND NOT o.promoted)
    GROUP BY d.cohort, d.bracket, d.band_index, d.band, d.run_id
), rung AS (
    SELECT c.cohort, c.bracket, c.band_index, c.band, count(*) AS reached,
           (array_agg(c.planned ORDER BY c.number DESC))[1] AS planned,
           count(*) FILTER (WHERE r.state = 'paused' AND c.is_newest) AS paused
    FROM come c
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
), last AS (
    SELECT a.*, a.band_index = min(a.band_index) OVER (PARTITION BY a.cohort) AS is_first
    FROM all_rungs a
    ORDER BY a.cohort DESC, a.band_index DESC
    LIMIT $2
)
SELECT l.cohort, l.bracket, l.band, l.planned, l.reached, e.runs, l.paused, l.promoted, l.stopped, l.threshold, l.decided_at
FROM last l
CROSS JOIN LATERAL (
    SELECT count(DISTINCT w.ordinal) AS runs
    FROM (SELECT v.ordinal
          FROM besom.cohort_verdicts v
          WHERE v.sweep_id = $1 AND v.cohort = l.cohort
            AND (v.band_index = l.band_index OR (v.band_index = l.band_index - 1 AND v.promoted))
          UNION ALL
          SELECT o.ordinal FROM generate_series(l.cohort, l.cohort + l.planned - 1) AS o (ordinal) WHERE l.is_first) w
    JOIN besom.rung_values e ON e.sweep_id = $1 AND e.kind = 'ended' AND e.ordinal = w.ordinal
    WHERE NOT EXISTS (SELECT FROM besom.stop_decisions d
                      WHERE d.sweep_id = $1 AND d.run_id = e.run_id AND d.cohort = l.cohort AND d.band_index = l.band_index
                        AND NOT EXISTS (SELECT FROM besom.cohort_verdicts o
                                        WHERE o.sweep_id = $1 AND o.run_id = d.run_id AND o.band_index < d.band_index
                                          AND NOT o.promoted)
                      OFFSET 0) -- by the run's index, and no join with all decisions
) e
ORDER BY l.cohort, l.band_index;
