-- The sweep of a project's single runs; no row: there is none yet. $1 project. Called by store_find_single_runs.
SELECT sweep_id FROM besom.sweeps WHERE project = $1 AND method = 'none';
