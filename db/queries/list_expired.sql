-- Leases that ended more than $1 milliseconds ago, the oldest first, at most $2. Called by store_list_expired.
SELECT l.sweep_id, l.run_id, l.agent_id, r.state, l.attempt, r.spec_version,
       (extract(epoch FROM now() - l.expires_at) * 1000)::bigint
FROM besom.leases l
JOIN besom.runs r ON r.sweep_id = l.sweep_id AND r.run_id = l.run_id
WHERE l.expires_at < now() - $1 * interval '1 millisecond'
ORDER BY l.expires_at
LIMIT $2;
