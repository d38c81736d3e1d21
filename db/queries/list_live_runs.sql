-- The live runs of a sweep. $1 sweep. Called by store_add_directives_for_sweep.
SELECT run_id, attempt
FROM besom.runs
WHERE sweep_id = $1 AND state IN ('assigned', 'running', 'preempting', 'paused')
ORDER BY run_id;
