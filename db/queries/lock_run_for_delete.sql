-- Locks a run and its attempts against every writer; gives its state. $1 sweep, $2 run. Called by store_delete_run.
WITH attempts AS MATERIALIZED (
    SELECT attempt FROM besom.run_attempts WHERE sweep_id = $1 AND run_id = $2 ORDER BY attempt FOR UPDATE
)
SELECT r.state
FROM besom.runs r
WHERE r.sweep_id = $1 AND r.run_id = $2 AND (SELECT count(*) FROM attempts) >= 0
FOR UPDATE;
