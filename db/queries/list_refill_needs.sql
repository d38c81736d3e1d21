-- Sweeps that hand runs out and have fewer than $1 runs waiting that may be handed out, as far as they can have more; and
-- those with runs that results (or rung values, where the model learns from these) have made stale. Called by store_list_refill_needs.
SELECT s.sweep_id, waiting.queued - stale.runs, s.next_ordinal, s.spec_version, news.number,
       CASE WHEN s.run_cap = 0 THEN 9223372036854775807 ELSE s.run_cap - s.prepared END, s.learns, stale.runs
FROM besom.sweeps s
JOIN besom.sweep_counters c ON c.sweep_id = s.sweep_id
CROSS JOIN LATERAL (SELECT CASE WHEN s.learns_rungs THEN c.rung_values ELSE c.results END AS number) news
CROSS JOIN LATERAL (
    SELECT count(*) AS queued
    FROM (SELECT FROM besom.runs r WHERE r.sweep_id = s.sweep_id AND r.state = 'pending' LIMIT $1) counted
) waiting
CROSS JOIN LATERAL (
    SELECT count(*) AS runs
    FROM besom.runs r
    WHERE s.learns AND r.sweep_id = s.sweep_id AND r.state = 'pending' AND r.attempt = 0 AND r.fresh_until < news.number
) stale
WHERE s.state IN ('pending', 'running') AND s.method <> 'none'
  AND (s.learns OR (NOT s.exhausted AND (s.run_cap = 0 OR s.prepared < s.run_cap)))
  AND (stale.runs > 0
       OR (NOT s.exhausted AND (s.run_cap = 0 OR s.prepared < s.run_cap) AND waiting.queued < $1))
ORDER BY s.sweep_id;
