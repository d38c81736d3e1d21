-- Sweeps that a replica looks after: not ended, or with runs that somebody must be heard of. No parameters.
-- Called by store_list_live_sweeps.
SELECT sweep_id, project, name, state, state_reason, method, metric, program, maximize, exhausted, spec_version, seed,
       run_cap, grid_count, next_ordinal, created_at, started_at, ended_at
FROM besom.sweeps
WHERE sweep_id IN (SELECT sweep_id FROM besom.sweeps WHERE state IN ('pending', 'running', 'paused')
                   UNION
                   SELECT sweep_id FROM besom.leases)
ORDER BY sweep_id;
