-- Sweeps whose cohorts wait for runs that do not come: all were handed out, or ordinals have none. Their counters are
-- locked until close_cohorts has told. No parameters. Called by store_close_cohorts.
SELECT s.sweep_id
FROM besom.sweeps s
JOIN besom.sweep_counters c ON c.sweep_id = s.sweep_id
WHERE s.pauses AND s.state IN ('pending', 'running', 'paused') AND s.next_ordinal > 0
  AND (s.next_ordinal - s.prepared > (SELECT count(*) FROM besom.rung_values v
                                      WHERE v.sweep_id = s.sweep_id AND v.kind = 'ended' AND v.run_id = '')
       OR ((s.exhausted OR (s.run_cap > 0 AND s.prepared >= s.run_cap))
         AND NOT EXISTS (SELECT FROM besom.runs r WHERE r.sweep_id = s.sweep_id AND r.state = 'pending' AND r.attempt = 0)
         AND NOT EXISTS (SELECT FROM besom.rung_values v
                         WHERE v.sweep_id = s.sweep_id AND v.kind = 'closed' AND v.ordinal >= s.next_ordinal)))
ORDER BY s.sweep_id
FOR NO KEY UPDATE OF c SKIP LOCKED;
