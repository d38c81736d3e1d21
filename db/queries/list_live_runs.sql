-- The runs of a sweep that somebody runs. $1 sweep. Called by store_add_directives_for_sweep.
SELECT run_id, attempt
FROM besom.runs
WHERE sweep_id = $1 AND state IN ('assigned', 'running', 'preempting')
ORDER BY run_id;
