-- Hands runs of one sweep to the callers of AcquireRun, one row for each key, in order:
-- verdict (0 nothing, 1 a run, 2 its attempt is over, 3 unknown agent), the run, whether it was handed out just now, the
-- next step of an attempt that was there (inherit_attempts gives it for others), and the sweep's state.
-- A key that was served before gets its run again and its lease renewed; the other keys get pending runs, by priority,
-- then by ordinal. The sweep's row is locked against changes of state only when there is something to hand out.
-- A sweep with a limit of runs at once gives nothing unless its row was locked before this statement began: only then
-- are all live runs in its snapshot.
-- $1 sweep, $2 lease in milliseconds; arrays: $3 agents, $4 slots, $5 counters; $6 the sweep's row is locked already.
-- Called by store_claim_runs.
WITH key AS MATERIALIZED (
    SELECT k.i, k.agent_id, k.slot, k.counter, a.run_id, a.attempt, a.ended_at, a.started_at, a.next_step,
           EXISTS (SELECT FROM besom.agents g
                   WHERE g.sweep_id = $1 AND g.agent_id = k.agent_id AND g.retired_at IS NULL) AS registered
    FROM unnest($3::text[], $4::integer[], $5::bigint[]) WITH ORDINALITY AS k (agent_id, slot, counter, i)
    LEFT JOIN LATERAL (
        SELECT run_id, attempt, ended_at, started_at, next_step
        FROM besom.run_attempts
        WHERE sweep_id = $1 AND agent_id = k.agent_id AND slot = k.slot AND counter = k.counter
        LIMIT 1
    ) a ON true
), fresh AS MATERIALIZED (
    SELECT agent_id, slot, counter, row_number() OVER (ORDER BY min(i)) AS n
    FROM key
    WHERE run_id IS NULL AND registered
    GROUP BY agent_id, slot, counter
), wanted AS MATERIALIZED (
    SELECT count(*) AS runs,
           count(*) > 0 AND (SELECT true FROM besom.runs WHERE sweep_id = $1 AND state = 'pending'
                             ORDER BY priority DESC, ordinal LIMIT 1) IS NOT NULL AS waiting
    FROM fresh
), turn AS MATERIALIZED (
    SELECT (SELECT waiting FROM wanted) AND (concurrency = 0 OR $6) AS mine FROM besom.sweeps WHERE sweep_id = $1
), begun AS (
    UPDATE besom.sweeps
    SET state = 'running', started_at = coalesce(started_at, now())
    WHERE sweep_id = $1 AND state = 'pending' AND (SELECT mine FROM turn)
    RETURNING sweep_id, state, state_reason, exhausted, concurrency
), held AS MATERIALIZED (
    SELECT sweep_id, state, state_reason, exhausted, concurrency
    FROM besom.sweeps
    WHERE sweep_id = $1 AND (SELECT mine FROM turn) AND NOT EXISTS (SELECT FROM begun)
    FOR SHARE
), sweep AS MATERIALIZED (
    SELECT * FROM begun
    UNION ALL SELECT * FROM held
    UNION ALL SELECT sweep_id, state, state_reason, exhausted, concurrency
              FROM besom.sweeps WHERE sweep_id = $1 AND NOT (SELECT mine FROM turn)
), room AS MATERIALIZED (
    SELECT CASE WHEN sweep.concurrency = 0 THEN wanted.runs
                WHEN NOT $6 THEN 0
                ELSE least(wanted.runs, greatest(0, sweep.concurrency - (
                         SELECT count(*) FROM besom.runs
                         WHERE sweep_id = $1 AND state IN ('assigned', 'running', 'preempting')))) END AS runs
    FROM sweep, wanted
), picked AS MATERIALIZED (
    SELECT run_id, priority, ordinal
    FROM besom.runs
    WHERE sweep_id = $1 AND state = 'pending' AND (SELECT mine FROM turn)
      AND (SELECT state FROM sweep) = 'running'
      AND (fresh_until IS NULL OR attempt > 0
           OR fresh_until >= (SELECT CASE WHEN s.learns_rungs THEN c.rung_values ELSE c.results END
                              FROM besom.sweep_counters c
                              JOIN besom.sweeps s ON s.sweep_id = c.sweep_id
                              WHERE c.sweep_id = $1))
    ORDER BY priority DESC, ordinal
    LIMIT (SELECT runs FROM room)
    FOR NO KEY UPDATE SKIP LOCKED
), placed AS MATERIALIZED (
    SELECT run_id, row_number() OVER (ORDER BY priority DESC, ordinal) AS n FROM picked
), assigned AS (
    UPDATE besom.runs
    SET state = 'assigned', attempt = attempt + 1, end_reason = ''
    WHERE sweep_id = $1 AND run_id = ANY (ARRAY(SELECT run_id FROM picked))
    RETURNING run_id, attempt, params, spec_version, ordinal, run_seed
), given AS MATERIALIZED (
    SELECT f.agent_id, f.slot, f.counter, r.*
    FROM fresh f
    JOIN placed p ON p.n = f.n
    JOIN assigned r ON r.run_id = p.run_id
), attempts AS (
    INSERT INTO besom.run_attempts (sweep_id, run_id, attempt, agent_id, slot, counter)
    SELECT $1, run_id, attempt, agent_id, slot, counter FROM given ORDER BY agent_id, slot, counter
), leases AS (
    INSERT INTO besom.leases (sweep_id, run_id, attempt, agent_id, expires_at)
    SELECT $1, run_id, attempt, agent_id, clock_timestamp() + $2 * interval '1 millisecond' FROM given
    ON CONFLICT (sweep_id, run_id) DO UPDATE
    SET attempt = excluded.attempt, agent_id = excluded.agent_id, expires_at = excluded.expires_at
), held_leases AS MATERIALIZED (
    SELECT l.run_id, l.attempt
    FROM besom.leases l
    WHERE l.sweep_id = $1 AND l.run_id = ANY (ARRAY(SELECT run_id FROM key WHERE ended_at IS NULL AND run_id IS NOT NULL))
    ORDER BY l.run_id
    FOR NO KEY UPDATE
), renewed AS (
    UPDATE besom.leases
    SET expires_at = clock_timestamp() + $2 * interval '1 millisecond'
    WHERE sweep_id = $1 AND run_id = ANY (ARRAY(SELECT run_id FROM held_leases))
    RETURNING run_id, attempt
), seen AS (
    UPDATE besom.agents
    SET seen_at = now()
    WHERE sweep_id = $1 AND agent_id = ANY (ARRAY(
        SELECT agent_id
        FROM besom.agents
        WHERE sweep_id = $1 AND agent_id = ANY (ARRAY(SELECT agent_id FROM key))
          AND seen_at < now() - interval '5 seconds'
        FOR NO KEY UPDATE SKIP LOCKED))
)
SELECT CASE WHEN g.run_id IS NOT NULL OR w.run_id IS NOT NULL THEN 1
            WHEN k.run_id IS NOT NULL THEN 2
            WHEN NOT k.registered THEN 3
            ELSE 0 END,
       coalesce(g.run_id, k.run_id), coalesce(g.params, r.params), coalesce(g.attempt, k.attempt),
       coalesce(g.spec_version, r.spec_version), coalesce(g.ordinal, r.ordinal), coalesce(g.run_seed, r.run_seed),
       k.started_at IS NOT NULL, g.run_id IS NOT NULL, coalesce(k.next_step, 0), s.state, s.state_reason, s.exhausted, s.concurrency
FROM key k
CROSS JOIN sweep s
LEFT JOIN given g ON g.agent_id = k.agent_id AND g.slot = k.slot AND g.counter = k.counter
LEFT JOIN besom.runs r ON r.sweep_id = $1 AND r.run_id = k.run_id
LEFT JOIN renewed w ON w.run_id = k.run_id AND w.attempt = k.attempt
ORDER BY k.i;
