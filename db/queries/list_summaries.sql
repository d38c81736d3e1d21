-- Summaries of a run's metrics, by name and attempt. $1 sweep, $2 run, $3 attempt (0 = all). Called by
-- store_list_summaries.
SELECT s.sweep_id, s.run_id, s.name, s.attempt, s.points, s.last_step, s.last, s.min, s.max, s.first, s.total,
       s.least_step, s.finite
FROM besom.run_summaries s
WHERE s.sweep_id = $1 AND s.run_id = $2 AND ($3 = 0 OR s.attempt = $3)
ORDER BY s.name, s.attempt;
