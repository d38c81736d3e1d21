-- Summaries of an attempt's metrics, by name. $1 sweep, $2 run, $3 attempt (0 = the last). Called by store_list_summaries.
SELECT s.sweep_id, s.run_id, s.name, s.attempt, s.points, s.last_step, s.last, s.min, s.max
FROM besom.run_summaries s
WHERE s.sweep_id = $1 AND s.run_id = $2
  AND s.attempt = CASE WHEN $3 > 0 THEN $3
                       ELSE (SELECT r.attempt FROM besom.runs r WHERE r.sweep_id = $1 AND r.run_id = $2) END
ORDER BY s.name;
