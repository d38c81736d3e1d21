-- Opens an attempt: its start (once), its lease, and whether it is current. A row says whose the attempt is and whether
-- it was lost and can be revived (no successor was claimed); nothing changes then, nor for another agent.
-- $1 sweep, $2 run, $3 attempt, $4 agent, $5 start is reported, $6 lease in milliseconds. Called by store_open_run.
WITH held AS MATERIALIZED (
    SELECT a.agent_id, a.last_sequence, a.started_at, a.ended_at IS NULL AS current, r.state,
           r.attempt = a.attempt AND a.end_reason IN ('lost', 'never_started')
               AND (r.state = 'pending' OR (r.state = 'crashed' AND r.end_reason = 'lost')) AS revivable
    FROM besom.run_attempts a
    JOIN besom.runs r ON r.sweep_id = a.sweep_id AND r.run_id = a.run_id
    WHERE a.sweep_id = $1 AND a.run_id = $2 AND a.attempt = $3
    FOR NO KEY UPDATE OF a, r
), run AS (
    UPDATE besom.runs r
    SET state = 'running', started_at = coalesce(r.started_at, now())
    FROM held
    WHERE r.sweep_id = $1 AND r.run_id = $2 AND r.state = 'assigned' AND held.current AND $5 AND held.agent_id = $4
    RETURNING r.state
), attempt AS (
    UPDATE besom.run_attempts a
    SET started_at = now()
    FROM held
    WHERE a.sweep_id = $1 AND a.run_id = $2 AND a.attempt = $3 AND a.started_at IS NULL AND held.current AND $5
      AND held.agent_id = $4
), lease AS (
    UPDATE besom.leases l
    SET expires_at = clock_timestamp() + $6 * interval '1 millisecond'
    FROM held
    WHERE l.sweep_id = $1 AND l.run_id = $2 AND l.attempt = $3 AND held.current AND held.agent_id = $4
)
SELECT agent_id, current, last_sequence, coalesce((SELECT state FROM run), state), coalesce(revivable, false)
FROM held;
