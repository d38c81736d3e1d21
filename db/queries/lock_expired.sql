-- Locks an attempt, its run and its lease when the lease ended more than $4 milliseconds ago. $1 sweep, $2 run,
-- $3 attempt. Called by store_lose_run.
SELECT l.run_id
FROM besom.run_attempts a
JOIN besom.runs r ON r.sweep_id = a.sweep_id AND r.run_id = a.run_id
JOIN besom.leases l ON l.sweep_id = a.sweep_id AND l.run_id = a.run_id AND l.attempt = a.attempt
WHERE a.sweep_id = $1 AND a.run_id = $2 AND a.attempt = $3 AND a.ended_at IS NULL
  AND l.expires_at < clock_timestamp() - $4 * interval '1 millisecond'
FOR NO KEY UPDATE OF a, r, l;
