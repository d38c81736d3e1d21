-- Notes an agent's answer to an order; the first one stays. $1 sweep, $2 agent, $3 generation, $4 supported.
-- Called by store_answer_directive.
UPDATE besom.directives
SET answered_at = coalesce(answered_at, now()), supported = coalesce(supported, $4)
WHERE sweep_id = $1 AND agent_id = $2 AND generation = $3;
