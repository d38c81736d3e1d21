-- Agents, most recently seen first; one with a lease that is alive is seen now. $1 sweep ("" = all),
-- $2 project and $3 sweep that the caller is bound to ("" = none). Called by store_list_agents.
WITH held AS MATERIALIZED (
    SELECT sweep_id, agent_id, count(*) AS runs, bool_or(expires_at > now()) AS alive
    FROM besom.leases
    WHERE $1 = '' OR sweep_id = $1
    GROUP BY sweep_id, agent_id
), seen AS (
    SELECT g.*, CASE WHEN held.alive THEN now() ELSE g.seen_at END AS heard_at, coalesce(held.runs, 0) AS runs
    FROM besom.agents g
    LEFT JOIN held ON held.sweep_id = g.sweep_id AND held.agent_id = g.agent_id
    WHERE ($1 = '' OR g.sweep_id = $1) AND ($3 = '' OR g.sweep_id = $3)
      AND ($2 = '' OR g.sweep_id IN (SELECT sweep_id FROM besom.sweeps WHERE project = $2))
    ORDER BY heard_at DESC, g.agent_id
    LIMIT 1000
)
SELECT s.sweep_id, s.agent_id, s.host, s.features, s.version, s.pid, s.slots, s.protocol, s.registered_at, s.heard_at,
       s.retired_at, s.runs,
       (SELECT count(*) FROM besom.run_attempts a
        WHERE a.sweep_id = s.sweep_id AND a.agent_id = s.agent_id AND a.ended_at IS NOT NULL),
       s.retire_reason, s.quarantined
FROM seen s
ORDER BY s.heard_at DESC, s.agent_id;
