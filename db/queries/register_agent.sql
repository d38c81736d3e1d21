-- Registers an agent of a sweep, again too. $1 sweep, $2 agent, $3 host, $4 features, $5 version, $6 pid, $7 slots,
-- $8 protocol. Called by store_register_agent.
INSERT INTO besom.agents (sweep_id, agent_id, host, features, version, pid, slots, protocol)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (sweep_id, agent_id) DO UPDATE
SET host = excluded.host, features = excluded.features, version = excluded.version, pid = excluded.pid,
    slots = excluded.slots, protocol = excluded.protocol, seen_at = now(), retired_at = NULL, retire_reason = '',
    quarantined = false;
