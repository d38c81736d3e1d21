-- Queues an assigned run again whose start was never reported and whose lease ended more than $4 milliseconds ago.
-- $1 sweep, $2 run, $3 attempt. Called by store_release_unstarted.
WITH held AS MATERIALIZED (
    SELECT l.run_id
    FROM besom.run_attempts a
    JOIN besom.runs r ON r.sweep_id = a.sweep_id AND r.run_id = a.run_id
    JOIN besom.leases l ON l.sweep_id = a.sweep_id AND l.run_id = a.run_id AND l.attempt = a.attempt
    WHERE a.sweep_id = $1 AND a.run_id = $2 AND a.attempt = $3 AND a.started_at IS NULL AND a.ended_at IS NULL
      AND r.state = 'assigned' AND l.expires_at < clock_timestamp() - $4 * interval '1 millisecond'
    FOR NO KEY UPDATE OF a, r, l
), attempt AS (
    UPDATE besom.run_attempts a
    SET ended_at = now(), end_reason = 'never_started'
    FROM held
    WHERE a.sweep_id = $1 AND a.run_id = $2 AND a.attempt = $3
), lease AS (
    DELETE FROM besom.leases l
    USING held
    WHERE l.sweep_id = $1 AND l.run_id = $2
)
UPDATE besom.runs r
SET state = 'pending', priority = 1
FROM held
WHERE r.sweep_id = $1 AND r.run_id = $2;
