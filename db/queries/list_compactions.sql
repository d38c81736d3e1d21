-- Attempts with at least $1 points in the inbox, or ended ones with any; at most $2. Called by store_list_compactions.
SELECT i.sweep_id, i.run_id, i.attempt
FROM (SELECT sweep_id, run_id, attempt, sum(points) AS points
      FROM besom.metric_inbox
      GROUP BY sweep_id, run_id, attempt) i
JOIN besom.run_attempts a ON a.sweep_id = i.sweep_id AND a.run_id = i.run_id AND a.attempt = i.attempt
WHERE i.points >= $1 OR a.ended_at IS NOT NULL
ORDER BY i.points DESC
LIMIT $2;
