-- The best run by the sweep's metric. $1 sweep. Called by store_get_best_run.
SELECT v.sweep_id, v.run_id, v.state, v.end_reason, v.params, v.agent_id, v.host, v.error_text, v.ordinal, v.created_at,
       v.started_at, v.ended_at, v.result_number, v.run_time_ms, v.attempt, v.exit_code, v.signal, v.spec_version,
       v.unreachable, v.objective, v.name, v.notes, array_to_json(v.tags)::text, array_to_json(v.hidden_tags)::text
FROM besom.shown_runs v
JOIN besom.sweeps s ON s.sweep_id = v.sweep_id
WHERE v.sweep_id = $1 AND v.objective <> 'NaN'
ORDER BY CASE WHEN s.maximize THEN -v.objective ELSE v.objective END, v.ordinal
LIMIT 1;
