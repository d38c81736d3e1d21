-- Ends a run that waits for an agent, with its result number and the best value of its attempts. No row: it is not pending. $1 sweep, $2 run.
-- Called by store_kill_pending_run.
WITH held AS MATERIALIZED (
    SELECT run_id, result_number
    FROM besom.runs
    WHERE sweep_id = $1 AND run_id = $2 AND state = 'pending'
    FOR NO KEY UPDATE
), counter AS (
    UPDATE besom.sweep_counters c
    SET results = c.results + CASE WHEN held.result_number IS NULL THEN 1 ELSE 0 END
    FROM held
    WHERE c.sweep_id = $1
    RETURNING c.results
)
UPDATE besom.runs r
SET state = 'killed', end_reason = 'user', ended_at = now(),
    objective = (SELECT best_value FROM besom.run_attempts a
                 WHERE a.sweep_id = $1 AND a.run_id = r.run_id AND a.attempt = r.attempt),
    result_number = coalesce(r.result_number, counter.results)
FROM held, counter
WHERE r.sweep_id = $1 AND r.run_id = held.run_id;
