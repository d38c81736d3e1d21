-- Summaries of the last attempts of runs, by run and name. $1 sweep, $2 runs (text[]). Called by store_list_summaries_of.
SELECT s.sweep_id, s.run_id, s.name, s.attempt, s.points, s.last_step, s.last, s.min, s.max
FROM unnest($2::text[]) AS k (run_id)
JOIN besom.runs r ON r.sweep_id = $1 AND r.run_id = k.run_id
JOIN besom.run_summaries s ON s.sweep_id = $1 AND s.run_id = r.run_id AND s.attempt = r.attempt
ORDER BY s.run_id, s.name;
