-- Agents, most recently seen first. $1 sweep ("" = all). Called by store_list_agents.
SELECT g.sweep_id, g.agent_id, g.host, g.features, g.version, g.pid, g.slots, g.protocol, g.registered_at, g.seen_at,
       g.retired_at,
       (SELECT count(*) FROM besom.leases l WHERE l.sweep_id = g.sweep_id AND l.agent_id = g.agent_id),
       (SELECT count(*) FROM besom.run_attempts a
        WHERE a.sweep_id = g.sweep_id AND a.agent_id = g.agent_id AND a.ended_at IS NOT NULL)
FROM (SELECT * FROM besom.agents WHERE $1 = '' OR sweep_id = $1 ORDER BY seen_at DESC, agent_id LIMIT 1000) g
ORDER BY g.seen_at DESC, g.agent_id;
