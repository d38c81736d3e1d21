-- Ends sweeps that can give out nothing any more and have nothing queued and nothing live. Gives their ids.
-- No parameters. Called by store_finish_idle_sweeps.
WITH idle AS MATERIALIZED (
    SELECT s.sweep_id
    FROM besom.sweeps s
    WHERE s.state IN ('pending', 'running', 'paused')
      AND (s.exhausted OR (s.run_cap > 0 AND s.prepared >= s.run_cap))
      AND NOT EXISTS (SELECT FROM besom.runs r
                      WHERE r.sweep_id = s.sweep_id
                        AND r.state IN ('pending', 'assigned', 'running', 'preempting', 'paused'))
    ORDER BY s.sweep_id
    FOR UPDATE SKIP LOCKED
)
UPDATE besom.sweeps s
SET state = 'finished', state_reason = 'all runs ended', ended_at = now()
FROM idle
WHERE s.sweep_id = idle.sweep_id
RETURNING s.sweep_id;
