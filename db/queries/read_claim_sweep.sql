-- What the answer to callers without a run depends on: runs waiting (at most 20000 are counted), live, on a machine now,
-- ever handed out, and expected (0 = unbounded), then its state and the most runs at once. $1 sweep. Called by store_claim_runs when a key got nothing, and by
-- store_get_claim_sweep.
SELECT waiting.runs, taken.live, taken.running,
       s.prepared - waiting.unused,
       CASE WHEN s.exhausted THEN s.prepared
            WHEN s.run_cap > 0 THEN least(s.run_cap, coalesce(s.grid_count, s.run_cap))
            ELSE coalesce(s.grid_count, 0) END,
       s.state, s.state_reason, s.exhausted, s.concurrency
FROM besom.sweeps s
CROSS JOIN (
    SELECT count(*) AS runs, count(*) FILTER (WHERE attempt = 0) AS unused
    FROM (SELECT attempt FROM besom.runs WHERE sweep_id = $1 AND state = 'pending' LIMIT 20000) counted
) waiting
CROSS JOIN (
    SELECT count(*) AS live, count(*) FILTER (WHERE state <> 'paused') AS running
    FROM besom.runs
    WHERE sweep_id = $1 AND state IN ('assigned', 'running', 'preempting', 'paused')
) taken
WHERE s.sweep_id = $1;
