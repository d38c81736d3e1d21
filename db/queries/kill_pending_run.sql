-- Ends a run that nobody runs, as it waits for an agent or at a rung, with its result number and the best value of its
-- attempts. No row: it is in another state. $1 sweep, $2 run. Called by store_kill_pending_run.
WITH held AS MATERIALIZED (
    SELECT r.run_id, r.ordinal, r.attempt, r.result_number, s.pauses
    FROM besom.runs r
    JOIN besom.sweeps s ON s.sweep_id = r.sweep_id
    WHERE r.sweep_id = $1 AND r.run_id = $2 AND r.state IN ('pending', 'paused')
    FOR NO KEY UPDATE OF r
), counter AS (
    UPDATE besom.sweep_counters c
    SET results = c.results + CASE WHEN held.result_number IS NULL THEN 1 ELSE 0 END,
        rung_values = c.rung_values + CASE WHEN held.pauses THEN 1 ELSE 0 END
    FROM held
    WHERE c.sweep_id = $1
    RETURNING c.results, c.rung_values
), ended AS (
    INSERT INTO besom.rung_values (sweep_id, number, run_id, attempt, band_index, band, value, best, kind, ordinal)
    SELECT $1, counter.rung_values, run_id, attempt, -1, 0, 'NaN', 'NaN', 'ended', ordinal
    FROM held, counter
    WHERE held.pauses
)
UPDATE besom.runs r
SET state = 'killed', end_reason = 'user', ended_at = now(),
    objective = (SELECT best_value FROM besom.run_attempts a
                 WHERE a.sweep_id = $1 AND a.run_id = r.run_id AND a.attempt = r.attempt),
    result_number = coalesce(r.result_number, counter.results)
FROM held, counter
WHERE r.sweep_id = $1 AND r.run_id = held.run_id;
