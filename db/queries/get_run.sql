-- One run, or two when a bare id is ambiguous. $1 sweep ("" = any), $2 run. Called by store_get_run.
SELECT sweep_id, run_id, state, end_reason, params, agent_id, host, error_text, ordinal, created_at, started_at,
       ended_at, result_number, run_time_ms, attempt, exit_code, signal, spec_version, unreachable, objective,
       name, notes, array_to_json(tags)::text, array_to_json(hidden_tags)::text
FROM besom.shown_runs
WHERE run_id = $2 AND ($1 = '' OR sweep_id = $1)
LIMIT 2;
