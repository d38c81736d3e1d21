-- Sweeps, newest first. $1 project ("" = all), $2 and $3 created_at and id to go on after ($3 NULL = from the start),
-- $4 limit, $5 project and $6 sweep that the caller is bound to ("" = none). Called by store_list_sweeps.
SELECT sweep_id, project, name, state, state_reason, method, metric, program, maximize, exhausted, spec_version, seed,
       run_cap, grid_count, next_ordinal, created_at, started_at, ended_at
FROM besom.sweeps
WHERE ($1 = '' OR project = $1) AND ($5 = '' OR project = $5) AND ($6 = '' OR sweep_id = $6)
  AND ($3::text IS NULL OR created_at < $2::timestamptz OR (created_at = $2 AND sweep_id > $3))
ORDER BY created_at DESC, sweep_id
LIMIT $4;
