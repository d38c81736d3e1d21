-- Lets attempts go on where those before them ended, one row for each: its place and its next step.
-- $1 sweep; arrays: $2 runs, $3 attempts. Called by store_claim_runs for attempts that it has just made: their runs are
-- locked by then, so those before change no more, which the statement that made them could not know.
WITH k AS MATERIALIZED (
    SELECT * FROM unnest($2::text[], $3::integer[]) WITH ORDINALITY AS k (run_id, attempt, i)
)
UPDATE besom.run_attempts a
SET next_step = old.next_step, metric_rows = old.metric_rows, best_value = old.best_value,
    bands_reached = old.bands_reached, metric_total = old.metric_total
FROM k
JOIN besom.run_attempts old ON old.sweep_id = $1 AND old.run_id = k.run_id AND old.attempt = k.attempt - 1
WHERE a.sweep_id = $1 AND a.run_id = k.run_id AND a.attempt = k.attempt
RETURNING k.i, a.next_step;
