-- Attempts of a run, in order. $1 sweep, $2 run. Called by store_list_attempts.
SELECT a.attempt, a.agent_id, g.host, a.end_reason, a.claimed_at, a.started_at, a.ended_at,
       a.last_sequence
FROM besom.run_attempts a
LEFT JOIN besom.agents g ON g.sweep_id = a.sweep_id AND g.agent_id = a.agent_id
WHERE a.sweep_id = $1 AND a.run_id = $2
ORDER BY a.attempt;
