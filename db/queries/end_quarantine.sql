-- Lets a host serve a sweep again. $1 sweep, $2 host. Called by store_end_quarantine.
WITH held AS MATERIALIZED (
    SELECT agent_id
    FROM besom.agents
    WHERE sweep_id = $1 AND host = $2 AND quarantined
    ORDER BY agent_id
    FOR NO KEY UPDATE
)
UPDATE besom.agents SET quarantined = false WHERE sweep_id = $1 AND agent_id = ANY (ARRAY(SELECT agent_id FROM held));
