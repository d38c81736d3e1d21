-- Marks an agent as gone for good. $1 sweep, $2 agent, $3 reason. Called by store_retire_agent.
UPDATE besom.agents
SET retired_at = coalesce(retired_at, now()), retire_reason = $3
WHERE sweep_id = $1 AND agent_id = $2;
