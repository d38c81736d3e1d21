-- Leases that ended more than $1 milliseconds ago, the oldest first, of each sweep at most $2: runs of a sweep that waits
-- long for them keep no others from being seen. Called by store_list_expired.
SELECT l.sweep_id, l.run_id, l.agent_id, r.state, l.attempt, r.spec_version,
       (extract(epoch FROM now() - l.expires_at) * 1000)::bigint
FROM (SELECT DISTINCT sweep_id FROM besom.leases WHERE expires_at < now() - $1 * interval '1 millisecond') s
CROSS JOIN LATERAL (
    SELECT sweep_id, run_id, agent_id, attempt, expires_at
    FROM besom.leases
    WHERE sweep_id = s.sweep_id AND expires_at < now() - $1 * interval '1 millisecond'
    ORDER BY expires_at
    LIMIT $2
) l
JOIN besom.runs r ON r.sweep_id = l.sweep_id AND r.run_id = l.run_id
ORDER BY l.expires_at;
