-- Sweeps that hand runs out, can have more, and have fewer than $1 runs waiting. Called by store_list_refill_needs.
SELECT s.sweep_id, waiting.queued, s.next_ordinal, s.spec_version, c.results,
       CASE WHEN s.run_cap = 0 THEN 9223372036854775807 ELSE s.run_cap - s.prepared END
FROM besom.sweeps s
JOIN besom.sweep_counters c ON c.sweep_id = s.sweep_id
CROSS JOIN LATERAL (
    SELECT count(*) AS queued
    FROM (SELECT FROM besom.runs r WHERE r.sweep_id = s.sweep_id AND r.state = 'pending' LIMIT $1) counted
) waiting
WHERE s.state IN ('pending', 'running') AND NOT s.exhausted AND s.method <> 'none'
  AND (s.run_cap = 0 OR s.prepared < s.run_cap) AND waiting.queued < $1
ORDER BY s.sweep_id;
