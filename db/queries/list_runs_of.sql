-- Runs of a sweep in the order of their ids. $1 sweep, $2 runs (text[]). Called by store_list_runs_of.
SELECT sweep_id, v.run_id, state, end_reason, params, agent_id, host, error_text, ordinal, created_at, started_at,
       ended_at, result_number, run_time_ms, attempt, exit_code, signal, spec_version, unreachable, objective,
       name, notes, array_to_json(tags)::text, array_to_json(hidden_tags)::text
FROM unnest($2::text[]) WITH ORDINALITY AS k (run_id, i)
JOIN besom.shown_runs v ON v.sweep_id = $1 AND v.run_id = k.run_id
ORDER BY k.i;
