-- Marks an agent as gone for good. $1 sweep, $2 agent, $3 reason, $4 its host is not to serve the sweep.
-- Called by store_retire_agent.
UPDATE besom.agents
SET retired_at = coalesce(retired_at, now()), retire_reason = $3, quarantined = quarantined OR $4
WHERE sweep_id = $1 AND agent_id = $2;
