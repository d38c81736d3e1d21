-- Deletes a run with its metrics, output, orders and reason. Its rung values stay: decisions about others rest on them.
-- $1 sweep, $2 run. Called by store_delete_run, with the run locked.
WITH inbox AS (
    DELETE FROM besom.metric_inbox WHERE sweep_id = $1 AND run_id = $2
), summaries AS (
    DELETE FROM besom.run_summaries WHERE sweep_id = $1 AND run_id = $2
), orders AS (
    DELETE FROM besom.directives WHERE sweep_id = $1 AND run_id = $2
), reason AS (
    DELETE FROM besom.suggestions
    WHERE sweep_id = $1 AND ordinal = (SELECT ordinal FROM besom.runs WHERE sweep_id = $1 AND run_id = $2)
)
DELETE FROM besom.runs WHERE sweep_id = $1 AND run_id = $2;
