-- Ends the runs of a sweep that wait at a rung, with their result numbers and best values. Gives how many.
-- $1 sweep, $2 state, $3 reason. Called by store_end_paused_runs.
WITH held AS MATERIALIZED (
    SELECT run_id, ordinal, attempt, result_number
    FROM besom.runs
    WHERE sweep_id = $1 AND state = 'paused'
    ORDER BY run_id
    FOR NO KEY UPDATE
), placed AS MATERIALIZED (
    SELECT run_id, ordinal, attempt, row_number() OVER (ORDER BY ordinal) AS n,
           count(*) FILTER (WHERE result_number IS NULL) OVER (ORDER BY ordinal) AS result
    FROM held
), total AS MATERIALIZED (
    SELECT count(*) AS ends, coalesce(max(result), 0) AS results FROM placed
), counter AS (
    UPDATE besom.sweep_counters c
    SET results = c.results + total.results, rung_values = c.rung_values + total.ends
    FROM total
    WHERE c.sweep_id = $1 AND total.ends > 0
    RETURNING c.results - total.results AS result_base, c.rung_values - total.ends AS base
), ends AS (
    INSERT INTO besom.rung_values (sweep_id, number, run_id, attempt, band_index, band, value, best, kind, ordinal)
    SELECT $1, counter.base + n, run_id, attempt, -1, 0, 'NaN', 'NaN', 'ended', ordinal FROM placed, counter
)
UPDATE besom.runs r
SET state = $2, end_reason = $3, ended_at = now(),
    objective = (SELECT best_value FROM besom.run_attempts a
                 WHERE a.sweep_id = $1 AND a.run_id = r.run_id AND a.attempt = r.attempt),
    result_number = coalesce(r.result_number, counter.result_base + placed.result)
FROM placed, counter
WHERE r.sweep_id = $1 AND r.run_id = placed.run_id;
