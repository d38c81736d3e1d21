-- Orders of one kind to attempts that are their run's newest and have no such order yet, with the next generations of
-- their agents; gives one row for each such attempt: its agent, and whether the order is new. A run that waits because
-- its attempt was lost is stopped early likewise: the order is there when the attempt comes back.
-- $1 sweep, $2 kind; arrays: $3 runs, $4 attempts (0 = the current one), $5 reasons.
-- Called by store_add_directive, store_record_decisions.
WITH target AS MATERIALIZED (
    SELECT a.agent_id, a.run_id, a.attempt, k.reason,
           NOT EXISTS (SELECT FROM besom.directives d
                       WHERE d.sweep_id = $1 AND d.run_id = a.run_id AND d.attempt = a.attempt AND d.kind = $2) AS fresh
    FROM unnest($3::text[], $4::integer[], $5::text[]) AS k (run_id, attempt, reason)
    CROSS JOIN LATERAL (
        SELECT r.attempt FROM besom.runs r
        WHERE r.sweep_id = $1 AND r.run_id = k.run_id
          AND (r.state IN ('assigned', 'running', 'preempting') OR (r.state = 'pending' AND $2 = 'stop_early'))
          AND k.attempt IN (0, r.attempt)
        OFFSET 0
    ) r
    JOIN besom.run_attempts a ON a.sweep_id = $1 AND a.run_id = k.run_id AND a.attempt = r.attempt
), agent AS MATERIALIZED (
    SELECT g.agent_id
    FROM besom.agents g
    WHERE g.sweep_id = $1 AND g.agent_id = ANY (ARRAY(SELECT agent_id FROM target WHERE fresh))
    ORDER BY g.agent_id
    FOR NO KEY UPDATE
), bundle AS MATERIALIZED (
    SELECT agent_id, array_agg(run_id ORDER BY run_id) AS run_ids, array_agg(attempt ORDER BY run_id) AS attempts,
           array_agg(reason ORDER BY run_id) AS reasons
    FROM target
    WHERE fresh
    GROUP BY agent_id
), generations AS (
    UPDATE besom.agents g
    SET last_generation = g.last_generation + cardinality(bundle.run_ids)
    FROM bundle
    WHERE g.sweep_id = $1 AND g.agent_id = bundle.agent_id AND (SELECT count(*) FROM agent) > 0
    RETURNING g.agent_id, g.last_generation - cardinality(bundle.run_ids) AS base, bundle.run_ids, bundle.attempts,
              bundle.reasons
), added AS (
    INSERT INTO besom.directives (sweep_id, agent_id, generation, run_id, attempt, kind, reason)
    SELECT $1, generations.agent_id, generations.base + o.n, o.run_id, o.attempt, $2, o.reason
    FROM generations
    CROSS JOIN LATERAL unnest(run_ids, attempts, reasons) WITH ORDINALITY AS o (run_id, attempt, reason, n)
)
SELECT agent_id, fresh FROM target ORDER BY agent_id;
