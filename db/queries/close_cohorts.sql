-- Numbers what a sweep's cohorts need not wait for: ordinals that have no run as ended, and, when all runs that there can be
-- were handed out, that those after the last are of other cohorts. $1 sweep. Called by store_close_cohorts under
-- lock_open_cohorts.
WITH sweep AS MATERIALIZED (
    SELECT s.next_ordinal,
           (s.exhausted OR (s.run_cap > 0 AND s.prepared >= s.run_cap))
            AND NOT EXISTS (SELECT FROM besom.runs r WHERE r.sweep_id = s.sweep_id AND r.state = 'pending' AND r.attempt = 0)
            AND NOT EXISTS (SELECT FROM besom.rung_values v
                            WHERE v.sweep_id = s.sweep_id AND v.kind = 'closed' AND v.ordinal >= s.next_ordinal) AS closes
    FROM besom.sweeps s
    WHERE s.sweep_id = $1
), gap AS MATERIALIZED (
    SELECT o.ordinal, row_number() OVER (ORDER BY o.ordinal) AS n
    FROM sweep
    CROSS JOIN LATERAL generate_series(0, sweep.next_ordinal - 1) AS o (ordinal)
    WHERE NOT EXISTS (SELECT FROM besom.runs r WHERE r.sweep_id = $1 AND r.ordinal = o.ordinal)
      AND NOT EXISTS (SELECT FROM besom.rung_values v
                      WHERE v.sweep_id = $1 AND v.kind = 'ended' AND v.ordinal = o.ordinal)
), new AS MATERIALIZED (
    SELECT 'ended' AS kind, ordinal, n FROM gap
    UNION ALL
    SELECT 'closed', next_ordinal, (SELECT count(*) FROM gap) + 1 FROM sweep WHERE closes
), counter AS (
    UPDATE besom.sweep_counters
    SET rung_values = rung_values + (SELECT count(*) FROM new)
    WHERE sweep_id = $1
    RETURNING rung_values - (SELECT count(*) FROM new) AS base
)
INSERT INTO besom.rung_values (sweep_id, number, run_id, attempt, band_index, band, value, best, kind, ordinal)
SELECT $1, counter.base + new.n, '', 0, -1, 0, 'NaN', 'NaN', new.kind, new.ordinal FROM new, counter;
