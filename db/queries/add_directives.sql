-- Orders of one kind to attempts that are current and live and have no such order yet, with the next generations of their
-- agents; gives one row for each such attempt: its agent, and whether the order is new.
-- $1 sweep, $2 kind; arrays: $3 runs, $4 attempts (0 = the current one), $5 reasons.
-- Called by store_add_directive, store_record_decisions.
WITH target AS MATERIALIZED (
    SELECT a.agent_id, a.run_id, a.attempt, k.reason,
           NOT EXISTS (SELECT FROM besom.directives d
                       WHERE d.sweep_id = $1 AND d.run_id = a.run_id AND d.attempt = a.attempt AND d.kind = $2) AS fresh
    FROM unnest($3::text[], $4::integer[], $5::text[]) AS k (run_id, attempt, reason)
    JOIN besom.runs r ON r.sweep_id = $1 AND r.run_id = k.run_id
    JOIN besom.run_attempts a ON a.sweep_id = $1 AND a.run_id = k.run_id AND a.attempt = r.attempt
    WHERE r.state IN ('assigned', 'running', 'preempting', 'paused') AND k.attempt IN (0, r.attempt)
), agent AS MATERIALIZED (
    SELECT g.agent_id
    FROM besom.agents g
    WHERE g.sweep_id = $1 AND g.agent_id = ANY (ARRAY(SELECT agent_id FROM target WHERE fresh))
    ORDER BY g.agent_id
    FOR NO KEY UPDATE
), numbered AS MATERIALIZED (
    SELECT *, row_number() OVER (PARTITION BY agent_id ORDER BY run_id) AS n FROM target WHERE fresh
), generations AS (
    UPDATE besom.agents g
    SET last_generation = g.last_generation + total.n
    FROM (SELECT numbered.agent_id, count(*) AS n
          FROM numbered JOIN agent ON agent.agent_id = numbered.agent_id GROUP BY numbered.agent_id) total
    WHERE g.sweep_id = $1 AND g.agent_id = total.agent_id
    RETURNING g.agent_id, g.last_generation - total.n AS base
), added AS (
    INSERT INTO besom.directives (sweep_id, agent_id, generation, run_id, attempt, kind, reason)
    SELECT $1, numbered.agent_id, generations.base + numbered.n, run_id, attempt, $2, reason
    FROM numbered
    JOIN generations ON generations.agent_id = numbered.agent_id
)
SELECT agent_id, fresh FROM target ORDER BY agent_id;
