-- Unanswered orders to attempts, by generation. Arrays: $1 sweeps, $2 runs, $3 attempts. Called by store_list_directives.
SELECT d.sweep_id, d.agent_id, d.run_id, d.kind, d.reason, d.generation, d.attempt
FROM unnest($1::text[], $2::text[], $3::integer[]) AS k (sweep_id, run_id, attempt)
JOIN besom.directives d ON d.sweep_id = k.sweep_id AND d.run_id = k.run_id AND d.attempt = k.attempt
WHERE d.answered_at IS NULL
ORDER BY d.sweep_id, d.agent_id, d.generation;
