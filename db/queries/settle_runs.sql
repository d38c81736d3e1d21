-- Carries out what was decided about runs that nobody runs: a paused one that was promoted waits for an agent again, unless
-- it has a value at a later rung already; one that was not promoted ends with its result number; one that is queued again
-- and is to pause does. Of those on a machine the order or the end of the attempt takes care. Gives how many changed.
-- $1 sweep; arrays: $2 runs, $3 what was decided ('promote', 'stop', 'pause'), $4 band indexes.
-- Called by store_record_verdicts, with the runs locked by lock_runs.
WITH change AS MATERIALIZED (
    SELECT r.run_id, r.ordinal, r.attempt, r.result_number,
           CASE k.what WHEN 'promote' THEN 'pending' WHEN 'stop' THEN 'stopped' ELSE 'paused' END AS state
    FROM unnest($2::text[], $3::text[], $4::integer[]) AS k (run_id, what, band_index)
    JOIN besom.runs r ON r.sweep_id = $1 AND r.run_id = k.run_id
    WHERE CASE k.what
              WHEN 'promote' THEN r.state = 'paused'
                  AND NOT EXISTS (SELECT FROM besom.rung_values v
                                  WHERE v.sweep_id = $1 AND v.run_id = k.run_id AND v.kind = 'value'
                                    AND v.band_index > k.band_index)
              WHEN 'stop' THEN r.state = 'paused' OR (r.state = 'pending' AND r.attempt > 0)
              ELSE r.state = 'pending' AND r.attempt > 0 END
), ended AS MATERIALIZED (
    SELECT run_id, row_number() OVER (ORDER BY ordinal) AS n
    FROM change
    WHERE state = 'stopped' AND result_number IS NULL
), counter AS (
    UPDATE besom.sweep_counters
    SET results = results + (SELECT count(*) FROM ended)
    WHERE sweep_id = $1 AND EXISTS (SELECT FROM ended)
    RETURNING results - (SELECT count(*) FROM ended) AS base
)
UPDATE besom.runs r
SET state = change.state,
    priority = CASE WHEN change.state = 'pending' THEN 1 ELSE r.priority END,
    end_reason = CASE WHEN change.state = 'stopped' THEN 'early_stop' ELSE '' END,
    ended_at = CASE WHEN change.state = 'stopped' THEN now() END,
    objective = CASE WHEN change.state = 'stopped'
                     THEN (SELECT best_value FROM besom.run_attempts a
                           WHERE a.sweep_id = $1 AND a.run_id = r.run_id AND a.attempt = r.attempt) END,
    result_number = coalesce(r.result_number, (SELECT base FROM counter) + ended.n)
FROM change
LEFT JOIN ended ON ended.run_id = change.run_id
WHERE r.sweep_id = $1 AND r.run_id = change.run_id;
