-- Runs of a sweep, the best first by its metric, those without a value last. $1 sweep, $2 states ("" = all that were
-- handed out), $3 offset, $4 limit, $5 bytes of params after which no other run is given. Called by store_list_runs.
SELECT sweep_id, run_id, state, end_reason, params, agent_id, host, error_text, ordinal, created_at, started_at,
       ended_at, result_number, run_time_ms, attempt, exit_code, signal, spec_version, unreachable, objective,
       name, notes, array_to_json(tags)::text, array_to_json(hidden_tags)::text
FROM (SELECT p.*, sum(octet_length(params)) OVER (ORDER BY badness NULLS LAST, ordinal) - octet_length(params) AS before
      FROM (SELECT v.*, CASE WHEN s.maximize THEN -v.objective ELSE v.objective END AS badness
            FROM besom.shown_runs v
            JOIN besom.sweeps s ON s.sweep_id = v.sweep_id
            WHERE v.sweep_id = $1
              AND CASE WHEN $2 = '' THEN v.attempt > 0 ELSE v.state = ANY (string_to_array($2, ',')) END
            ORDER BY badness NULLS LAST, v.ordinal
            OFFSET $3 LIMIT $4) p) r
WHERE before < $5
ORDER BY badness NULLS LAST, ordinal;
