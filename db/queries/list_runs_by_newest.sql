-- Runs of a sweep, the newest start first. $1 sweep, $2 states ("" = all that were handed out), $3 offset,
-- $4 limit, $5 bytes of params after which no other run is given. Called by store_list_runs.
WITH page AS MATERIALIZED (
    SELECT r.run_id
    FROM besom.runs r
    WHERE r.sweep_id = $1 AND CASE WHEN $2 = '' THEN r.attempt > 0 ELSE r.state = ANY (string_to_array($2, ',')) END
    ORDER BY coalesce(r.started_at, r.created_at) DESC, r.ordinal DESC
    OFFSET $3 LIMIT $4
)
SELECT sweep_id, run_id, state, end_reason, params, agent_id, host, error_text, ordinal, created_at, started_at,
       ended_at, result_number, run_time_ms, attempt, exit_code, signal, spec_version, unreachable, objective,
       name, notes, array_to_json(tags)::text, array_to_json(hidden_tags)::text
FROM (SELECT v.*, sum(octet_length(params)) OVER (ORDER BY coalesce(started_at, created_at) DESC, ordinal DESC) - octet_length(params) AS before
      FROM besom.shown_runs v
      WHERE sweep_id = $1 AND run_id = ANY (ARRAY(SELECT run_id FROM page))) r
WHERE before < $5
ORDER BY coalesce(started_at, created_at) DESC, ordinal DESC;
