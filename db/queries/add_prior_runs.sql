-- Copies ended runs of other sweeps as the ones that a sweep begins with; gives the positions of those that exist.
-- $1 sweep, $2 project that they must be of ('' = any); array: $3 runs. Called by store_add_prior_runs.
INSERT INTO besom.prior_runs (sweep_id, position, run_id, source_sweep_id, params, config_hash, state, objective)
SELECT $1, k.i - 1, r.run_id, r.sweep_id, r.params, r.config_hash, r.state, r.objective
FROM unnest($3::text[]) WITH ORDINALITY AS k (run_id, i)
JOIN besom.runs r ON r.run_id = k.run_id
JOIN besom.sweeps s ON s.sweep_id = r.sweep_id
WHERE r.state IN ('finished', 'stopped', 'failed', 'killed', 'crashed') AND ($2 = '' OR s.project = $2)
ON CONFLICT DO NOTHING
RETURNING position;
