-- One sweep, locked against claims, refills and other changes of its state. $1 sweep. Called by store_get_sweep.
SELECT sweep_id, project, name, state, state_reason, method, metric, program, maximize, exhausted, spec_version, seed,
       run_cap, grid_count, next_ordinal, created_at, started_at, ended_at
FROM besom.sweeps
WHERE sweep_id = $1
FOR UPDATE;
