-- Gives a lost attempt that open_run called revivable its run back, unless the sweep is canceled: the requeue is undone.
-- A result number stays with the run. No row: canceled. $1 sweep, $2 run, $3 attempt, $4 start is reported, $5 lease in
-- milliseconds. Called by store_open_run and store_finish_runs, with attempt and run locked.
WITH sweep AS MATERIALIZED (
    SELECT sweep_id FROM besom.sweeps WHERE sweep_id = $1 AND state <> 'canceled' FOR SHARE
), attempt AS (
    UPDATE besom.run_attempts a
    SET ended_at = NULL, end_reason = '', run_time_ms = 0,
        started_at = CASE WHEN $4 THEN coalesce(a.started_at, now()) ELSE a.started_at END
    FROM sweep, (SELECT run_time_ms, end_reason FROM besom.run_attempts
                 WHERE sweep_id = $1 AND run_id = $2 AND attempt = $3) old
    WHERE a.sweep_id = $1 AND a.run_id = $2 AND a.attempt = $3
    RETURNING a.agent_id, a.started_at, a.last_sequence, old.run_time_ms, old.end_reason
), lease AS (
    INSERT INTO besom.leases (sweep_id, run_id, attempt, agent_id, expires_at)
    SELECT $1, $2, $3, agent_id, clock_timestamp() + $5 * interval '1 millisecond' FROM attempt
    ON CONFLICT (sweep_id, run_id) DO UPDATE
    SET attempt = excluded.attempt, agent_id = excluded.agent_id, expires_at = excluded.expires_at
)
UPDATE besom.runs r
SET state = CASE WHEN attempt.started_at IS NULL THEN 'assigned' ELSE 'running' END,
    retries = r.retries - CASE WHEN attempt.end_reason = 'lost' AND r.state = 'pending' THEN 1 ELSE 0 END,
    started_at = coalesce(r.started_at, attempt.started_at),
    run_time_ms = r.run_time_ms - attempt.run_time_ms,
    end_reason = '', error_text = '', objective = NULL, ended_at = NULL
FROM attempt
WHERE r.sweep_id = $1 AND r.run_id = $2
RETURNING r.state, attempt.last_sequence;
