-- The best run by the sweep's metric. Which one it is takes a look at each run's value, and no more; then it is shown.
-- $1 sweep. Called by store_get_best_run.
WITH best AS MATERIALIZED (
    SELECT r.run_id
    FROM besom.runs r
    CROSS JOIN besom.sweeps s
    LEFT JOIN LATERAL (
        SELECT a.best_value
        FROM besom.run_attempts a
        WHERE r.ended_at IS NULL AND r.attempt > 0
          AND a.sweep_id = r.sweep_id AND a.run_id = r.run_id AND a.attempt = r.attempt
        OFFSET 0 -- looked up for those that have not ended
    ) a ON true
    CROSS JOIN LATERAL (SELECT CASE WHEN r.ended_at IS NOT NULL THEN r.objective ELSE a.best_value END AS objective) v
    WHERE r.sweep_id = $1 AND s.sweep_id = $1 AND v.objective <> 'NaN'
    ORDER BY CASE WHEN s.maximize THEN -v.objective ELSE v.objective END, r.ordinal
    LIMIT 1
)
SELECT v.sweep_id, v.run_id, v.state, v.end_reason, v.params, v.agent_id, v.host, v.error_text, v.ordinal, v.created_at,
       v.started_at, v.ended_at, v.result_number, v.run_time_ms, v.attempt, v.exit_code, v.signal, v.spec_version,
       v.unreachable, v.objective, v.name, v.notes, array_to_json(v.tags)::text, array_to_json(v.hidden_tags)::text
FROM besom.shown_runs v
WHERE v.sweep_id = $1 AND v.run_id = (SELECT run_id FROM best);
