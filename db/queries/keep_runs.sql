-- Lets prepared runs from an ordinal on be handed out although results have come since they were asked for.
-- $1 sweep, $2 first ordinal, $3 results (or rung values) that may come still. Called by store_keep_runs after insert_runs.
UPDATE besom.runs
SET fresh_until = (SELECT CASE WHEN s.learns_rungs THEN c.rung_values ELSE c.results END
                   FROM besom.sweep_counters c
                   JOIN besom.sweeps s ON s.sweep_id = c.sweep_id
                   WHERE c.sweep_id = $1) + $3
WHERE sweep_id = $1 AND state = 'pending' AND attempt = 0 AND ordinal >= $2 AND fresh_until IS NOT NULL;
