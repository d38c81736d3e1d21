-- Deletes a run with its metrics, output, orders and reason. Its rung values stay: decisions about others rest on them.
-- Where runs pause, one that had not ended is numbered among them as ended: its cohort waits for it no longer.
-- $1 sweep, $2 run. Called by store_delete_run, with the run locked.
WITH inbox AS (
    DELETE FROM besom.metric_inbox WHERE sweep_id = $1 AND run_id = $2
), summaries AS (
    DELETE FROM besom.run_summaries WHERE sweep_id = $1 AND run_id = $2
), orders AS (
    DELETE FROM besom.directives WHERE sweep_id = $1 AND run_id = $2
), counter AS (
    UPDATE besom.sweep_counters c
    SET rung_values = c.rung_values + 1
    FROM besom.runs r
    JOIN besom.sweeps s ON s.sweep_id = r.sweep_id
    WHERE c.sweep_id = $1 AND r.sweep_id = $1 AND r.run_id = $2 AND s.pauses AND r.ended_at IS NULL
    RETURNING c.rung_values AS number, r.attempt, r.ordinal
), ended AS (
    INSERT INTO besom.rung_values (sweep_id, number, run_id, attempt, band_index, band, value, best, kind, ordinal)
    SELECT $1, number, $2, attempt, -1, 0, 'NaN', 'NaN', 'ended', ordinal FROM counter
), reason AS (
    DELETE FROM besom.suggestions
    WHERE sweep_id = $1 AND ordinal = (SELECT ordinal FROM besom.runs WHERE sweep_id = $1 AND run_id = $2)
)
DELETE FROM besom.runs WHERE sweep_id = $1 AND run_id = $2;
